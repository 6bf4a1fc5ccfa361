// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// User is somebody who may call the API server with a token of their own.
type User struct {
	Name   string
	Groups []string
}

// Users of every test cluster. The names and groups are the ones that
// Kubernetes' own roles are bound to.
var (
	Admin             = User{Name: "admin", Groups: []string{"system:masters"}}
	ControllerManager = User{Name: "system:kube-controller-manager"}
	Scheduler         = User{Name: "system:kube-scheduler"}
	Proxy             = User{Name: "system:kube-proxy"}
)

// Node is the user that the kubelet of a node acts as.
func Node(name string) User {
	return User{Name: "system:node:" + name, Groups: []string{"system:nodes"}}
}

// Credentials are the files by which the parts of a cluster trust each other,
// all in one folder.
type Credentials struct {
	dir       string
	authority *Authority
	tokens    map[string]string
}

// NewCredentials fills dir with a new authority, the API server's certificate
// for the given hosts, the service account key and a token per user.
func NewCredentials(dir string, hosts []string, users ...User) (*Credentials, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for credentials: %w", err)
	}
	authority, err := NewAuthority()
	if err != nil {
		return nil, err
	}
	c := &Credentials{dir: dir, authority: authority, tokens: map[string]string{}}
	if err := writeSecret(c.CA(), authority.PEM()); err != nil {
		return nil, err
	}
	if err := authority.Issue(dir, "apiserver", Subject{CommonName: "kube-apiserver", Hosts: hosts}); err != nil {
		return nil, err
	}
	if err := c.writeServiceAccountKeys(); err != nil {
		return nil, err
	}
	return c, c.writeTokens(users)
}

// CA is the path of the authority's certificate.
func (c *Credentials) CA() string { return c.path("ca.crt") }

// CAData is the authority's certificate itself.
func (c *Credentials) CAData() []byte { return c.authority.PEM() }

// Token is what the user sends to prove who they are.
func (c *Credentials) Token(user User) string { return c.tokens[user.Name] }

// Issue adds a certificate; see [Authority.Issue].
func (c *Credentials) Issue(name string, subject Subject) error {
	return c.authority.Issue(c.dir, name, subject)
}

// path is where a file of these credentials is.
func (c *Credentials) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Credentials) writeServiceAccountKeys() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	if err := writeKey(c.path("service-account.key"), key); err != nil {
		return err
	}
	return writePublicKey(c.path("service-account.pub"), &key.PublicKey)
}

func (c *Credentials) writeTokens(users []User) error {
	var rows strings.Builder
	for _, user := range users {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return fmt.Errorf("making a token: %w", err)
		}
		c.tokens[user.Name] = hex.EncodeToString(secret)
		fmt.Fprintf(&rows, "%s,%s,%s,%q\n", c.tokens[user.Name], user.Name, user.Name, strings.Join(user.Groups, ","))
	}
	return writeSecret(c.path("tokens.csv"), []byte(rows.String()))
}

func writePublicKey(path string, key *ecdsa.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return fmt.Errorf("encoding a public key: %w", err)
	}
	return writeSecret(path, encode("PUBLIC KEY", der))
}
