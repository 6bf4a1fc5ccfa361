// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
)

// Proxy stands before a server, on one address, and can be closed and opened:
// closed, connections are refused and existing ones cut, as when the server is gone.
type Proxy struct {
	target string
	scheme string

	mu       sync.Mutex
	address  string
	listener net.Listener
	conns    map[net.Conn]struct{}
}

// NewProxy gives a closed proxy before Prometheus, on this machine's address.
func (c *Cluster) NewProxy(ctx context.Context) (*Proxy, error) {
	u, err := url.Parse(c.Settings.PrometheusURL)
	if err != nil {
		return nil, fmt.Errorf("E2E_PROMETHEUS_URL: %w", err)
	}
	p := &Proxy{target: u.Host, scheme: u.Scheme, address: net.JoinHostPort(c.Settings.LocalAddress, "0"), conns: map[net.Conn]struct{}{}}
	if err := p.Open(ctx); err != nil { // Which fixes the port.
		return nil, err
	}
	p.Close()
	return p, nil
}

// URL is the address to ask instead of the server's.
func (p *Proxy) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scheme + "://" + p.address
}

// Open accepts connections until Close or the end of ctx.
func (p *Proxy) Open(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", p.address)
	if err != nil {
		return fmt.Errorf("proxy: %w (E2E_LOCAL_ADDRESS must be an address of this machine)", err)
	}
	p.listener, p.address = l, l.Addr().String()
	context.AfterFunc(ctx, p.Close)
	go p.accept(ctx, l)
	return nil
}

// Close refuses connections and cuts those there are. Safe to call twice.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept(ctx context.Context, l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go p.pass(ctx, l, in)
	}
}

func (p *Proxy) pass(ctx context.Context, l net.Listener, in net.Conn) {
	defer func() { _ = in.Close() }()
	var d net.Dialer
	out, err := d.DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	if !p.keep(l, in, out) {
		return
	}
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
}

// keep remembers connections to cut, unless the proxy was closed since.
func (p *Proxy) keep(l net.Listener, conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != l {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}
