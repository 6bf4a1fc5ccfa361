// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("yes")) }))
	defer server.Close()
	c := &Cluster{Settings: Settings{PrometheusURL: server.URL, LocalAddress: "127.0.0.1"}}
	p, err := c.NewProxy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := p.URL()
	// Kept-alive connections must be cut too, so one client asks throughout.
	client := &http.Client{Transport: &http.Transport{}}
	ask := func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := ask(); err == nil {
		t.Error("a new proxy answers, want it closed")
	}
	for range 2 {
		if err := p.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.URL() != address {
			t.Errorf("address %s after opening, want %s as before", p.URL(), address)
		}
		if err := ask(); err != nil {
			t.Errorf("open: %v", err)
		}
		p.Close()
		p.Close()
		if err := ask(); err == nil {
			t.Error("a closed proxy answers")
		}
	}
}
