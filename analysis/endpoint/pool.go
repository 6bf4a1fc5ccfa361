// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/utils/lru"

	"github.com/sluice-dev/sluice/analysis"
)

const (
	// DefaultTimeout bounds one request.
	DefaultTimeout = 10 * time.Second
	// DefaultMaxAnswer bounds one answer in bytes.
	DefaultMaxAnswer = 1 << 20
	// maxConnections bounds the connections to one server.
	maxConnections = 16
	// maxIdentities bounds the kept sets of connections: one for each different TLS.
	maxIdentities = 64
)

// Options for NewPool.
type Options struct {
	// Timeout of one request. Default 10s.
	Timeout time.Duration
	// MaxAnswer is the size of an answer in bytes. Default 1 MiB.
	MaxAnswer int64
}

// Kind is how servers of one kind are spoken of.
type Kind struct {
	// Title such as Prometheus.
	Title string
	// Field of the spec that says how to reach one, such as prometheus.
	Field string
	// Example of an address.
	Example string
	// Smaller says how to get a smaller answer. Default: by aggregating the query.
	Smaller string
}

// Pool keeps connections to any number of servers. It is safe for use by
// several goroutines. Use [NewPool].
type Pool struct {
	kind    Kind
	options Options

	mu         sync.Mutex
	transports *lru.Cache
}

// NewPool returns a pool for servers of a kind.
func NewPool(kind Kind, o Options) *Pool {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = DefaultMaxAnswer
	}
	kind.Smaller = cmp.Or(kind.Smaller, "aggregate the query to one value, such as with sum(...)")
	forget := func(_ lru.Key, value any) {
		if transport, ok := value.(*http.Transport); ok {
			transport.CloseIdleConnections()
		}
	}
	return &Pool{kind: kind, options: o, transports: lru.NewWithEvictionFunc(maxIdentities, forget)}
}

// Timeout of one request.
func (p *Pool) Timeout() time.Duration { return p.options.Timeout }

// Server returns the server at an address, spoken to with the access given.
// New content of a Secret makes new connections; those to the same server with
// the same TLS are shared. The error does not repeat an address that can't be
// read, for it may hold a password.
func (p *Pool) Server(target analysis.Target) (*Server, error) {
	u, err := url.Parse(target.Address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address of %s is not an http or https URL; write it such as %s", p.kind.Title, p.kind.Example)
	}
	if err := analysis.Allowed(target.AllowedHosts, u); err != nil {
		return nil, err
	}
	a := target.Access
	if password, ok := u.User.Password(); ok && a.Password == "" {
		a.Username, a.Password = u.User.Username(), password
	}
	u.User, u.Fragment = nil, ""
	transport, err := p.transport(a.TLS)
	if err != nil {
		return nil, err
	}
	s := &Server{kind: p.kind, url: u, timeout: cmp.Or(target.Timeout, p.options.Timeout), secrets: forms(a)}
	shown := *u
	shown.RawQuery = ""
	s.name = p.kind.Title + " at " + shown.String()
	s.key = digest(target.Address, a)
	s.client = &http.Client{
		Transport:     guard{next: transport, access: a, limit: p.options.MaxAnswer},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// transport finds the connections of one TLS identity, or starts new ones.
func (p *Pool) transport(t analysis.TLS) (*http.Transport, error) {
	key := digest("", analysis.Access{TLS: t})
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.transports.Get(key); ok {
		return known.(*http.Transport), nil
	}
	config, err := p.config(t)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: p.options.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       config,
		ForceAttemptHTTP2:     true,
		MaxConnsPerHost:       maxConnections,
		MaxIdleConns:          4 * maxConnections,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   p.options.Timeout,
		ExpectContinueTimeout: time.Second,
	}
	p.transports.Add(key, transport)
	return transport, nil
}

func (p *Pool) config(t analysis.TLS) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: t.ServerName,
		InsecureSkipVerify: t.SkipVerify, //nolint:gosec // the user asks for it by name
	}
	if len(t.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(t.CA) {
			return nil, fmt.Errorf("%s.tls: the CA holds no certificate; give one or more in PEM, as in BEGIN CERTIFICATE", p.kind.Field)
		}
	}
	if len(t.Certificate) == 0 && len(t.Key) == 0 {
		return config, nil
	}
	pair, err := tls.X509KeyPair(t.Certificate, t.Key)
	if err != nil {
		// The library's words name no content.
		return nil, fmt.Errorf("%s.tls: certificate and key can't be used (%w); give both in PEM, of the same pair", p.kind.Field, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// digest tells apart what must not share connections or answers. It reveals nothing.
func digest(address string, a analysis.Access) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %q %q %q %t", address, a.Bearer, a.Username, a.Password, a.TLS.CA, a.TLS.Certificate, a.TLS.Key, a.TLS.SkipVerify)
	fmt.Fprintf(h, " %q", a.TLS.ServerName)
	for _, header := range a.Headers {
		fmt.Fprintf(h, " %q %q", header.Name, header.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}
