// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
)

func TestFlags(t *testing.T) {
	flags := Flags{"b": "1", "a": "x"}.With(Flags{"b": "2"})
	if diff := cmp.Diff([]string{"--a=x", "--b=2"}, flags.Args()); diff != "" {
		t.Errorf("A later layer wins and the order is stable (-want +got):\n%s", diff)
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	user := User{Name: "anna", Groups: []string{"a", "b"}}
	credentials, err := NewCredentials(dir, []string{"10.0.0.1", "api.test"}, Admin, user)
	if err != nil {
		t.Fatal(err)
	}

	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "apiserver.crt"), filepath.Join(dir, "apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(credentials.CAData())
	for _, host := range []string{"10.0.0.1", "api.test"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("The certificate does not hold for %s: %v", host, err)
		}
	}

	file, err := os.Open(filepath.Join(dir, "tokens.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{credentials.Token(user), "anna", "anna", "a,b"}
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Errorf("The token's row (-want +got):\n%s", diff)
	}
}

func TestWriteKubeconfig(t *testing.T) {
	dir := t.TempDir()
	credentials, err := NewCredentials(dir, []string{"127.0.0.1"}, Admin)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := credentials.WriteKubeconfig(path, "https://127.0.0.1:1", Admin); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:1" || config.BearerToken != credentials.Token(Admin) {
		t.Errorf("Got host %s and token %s.", config.Host, config.BearerToken)
	}
}
