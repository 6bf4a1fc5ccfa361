// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"strings"
	"testing"
)

func TestCheckTarget(t *testing.T) {
	cases := map[string]struct {
		reason string
		target string
		allow  string
		want   string
	}{
		"Loopback":     {reason: "This machine may be loaded.", target: "http://127.0.0.1:8080/x"},
		"LoopbackSix":  {reason: "In either protocol.", target: "http://[::1]:8080"},
		"Localhost":    {reason: "By name too.", target: "http://localhost:1"},
		"Cluster":      {reason: "The full tier may be loaded.", target: "http://10.250.0.1:8080"},
		"Service":      {reason: "So may its Services by their addresses.", target: "http://10.96.3.4"},
		"Beside":       {reason: "Its neighbours may not.", target: "http://10.251.0.1", want: "E2E_ALLOW_TARGET"},
		"Stranger":     {reason: "Nobody else is loaded by accident.", target: "http://shop.example", want: `add "shop.example" there`},
		"Allowed":      {reason: "A person may decide otherwise.", target: "https://shop.example:8443/x", allow: "a.example,shop.example"},
		"AllowedOther": {reason: "For that host only.", target: "https://b.example", allow: "a.example", want: "E2E_ALLOW_TARGET"},
		"Scheme":       {reason: "Only HTTP is spoken.", target: "ftp://127.0.0.1", want: "http or https"},
		"NoHost":       {reason: "An empty entry allows nothing.", target: "http:///x", want: "E2E_ALLOW_TARGET"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := checkTarget(tc.target, tc.allow)
			if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s\nerror %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}
