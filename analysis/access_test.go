// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"net/url"
	"testing"
)

func TestAllowed(t *testing.T) {
	hosts := []string{"prometheus.monitoring.svc:9090", "*.example.com", "Loki"}
	tests := map[string]struct {
		reason, address string
		hosts           []string
		want            bool
	}{
		"no list":       {"without a policy everything is allowed", "http://anywhere:1", nil, true},
		"listed":        {"host and port are those of the list", "http://prometheus.monitoring.svc:9090/x", hosts, true},
		"other port":    {"another port is another server", "http://prometheus.monitoring.svc:9091", hosts, false},
		"no port":       {"the port of the scheme counts when none is written", "http://prometheus.monitoring.svc", hosts, false},
		"any port":      {"a host without a port is allowed at every port", "http://loki:3100", hosts, true},
		"below domain":  {"a wildcard stands for all below", "https://a.b.example.com", hosts, true},
		"domain itself": {"a wildcard does not stand for the domain", "https://example.com", hosts, false},
		"lookalike":     {"a longer name is another host", "https://evilexample.com", hosts, false},
		"IPv6":          {"an address has colons itself", "http://[2001:db8::1]:9090", []string{"[2001:db8::1]:9090"}, true},
		"IPv6, port":    {"another port is another server", "http://[2001:db8::1]:9091", []string{"[2001:db8::1]:9090"}, false},
		"IPv6, written": {"an address has several forms", "http://[2001:DB8:0::0001]", []string{"[2001:db8::1]"}, true},
		"user":          {"what looks like a host before an @ is none", "http://loki@evil:9090", hosts, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(tc.address)
			if err != nil {
				t.Fatal(err)
			}
			if err := Allowed(tc.hosts, u); (err == nil) != tc.want {
				t.Errorf("%s: Allowed(%s): %v", tc.reason, tc.address, err)
			}
		})
	}
}
