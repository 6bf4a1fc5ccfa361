// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// identity is whom a shop is to those who speak TLS with it.
type identity struct {
	certificate, key string // PEM
	roots            *x509.CertPool
}

// newIdentity makes a certificate for a host, which vouches for itself.
func newIdentity(host string) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", host, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", host, err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", host, err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		return nil, fmt.Errorf("certificate for %s: it can't be read back", host)
	}
	return &identity{
		certificate: string(certificate), key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})), roots: roots,
	}, nil
}

// show makes the pods of a Rollout speak TLS too.
func (i *identity) show(r *v1alpha1.Rollout) {
	SetEnv(r.Spec.Template, "TLS_LISTEN", ":"+strconv.Itoa(tlsPort))
	SetEnv(r.Spec.Template, "TLS_CERTIFICATE", i.certificate)
	SetEnv(r.Spec.Template, "TLS_KEY", i.key)
}
