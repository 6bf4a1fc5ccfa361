// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// authority signs its own certificate, for 127.0.0.1 and its name.
type authority struct{ certificate, key []byte }

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{name + ".test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var a authority
	a.certificate = pemOf(t, "CERTIFICATE", der)
	a.key = pemOf(t, "PRIVATE KEY", private)
	return a
}

func pemOf(t *testing.T, kind string, der []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pair(t *testing.T, a authority) tls.Certificate {
	t.Helper()
	p, err := tls.X509KeyPair(a.certificate, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pool(a authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(a.certificate)
	return p
}
