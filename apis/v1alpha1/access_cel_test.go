// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestAccessToServers creates analyses whose server wants to know who asks.
func TestAccessToServers(t *testing.T) {
	secret := func(key string) fields {
		return fields{"secretKeyRef": fields{"name": "prometheus", "key": key}}
	}
	tests := map[string]struct {
		reason string
		server fields
		want   string
	}{
		"all of it": {"each way to be let in", fields{
			"basic":   fields{"username": "sluice", "password": secret("password")},
			"headers": []any{fields{"name": "X-Scope-OrgID", "value": "shop"}, fields{"name": "X-Key", "valueFrom": secret("key")}},
			"tls":     fields{"ca": secret("ca.crt"), "certificate": secret("tls.crt"), "key": secret("tls.key"), "serverName": "prometheus"},
		}, ""},
		"bearer":      {"a token", fields{"bearer": secret("token")}, ""},
		"two at once": {"a server looks at one", fields{"bearer": secret("token"), "basic": fields{"username": "u", "password": secret("p")}}, "bearer and basic exclude each other; keep one"},
		"half a pair": {"a certificate needs its key", fields{"tls": fields{"certificate": secret("tls.crt")}}, "tls: certificate and key belong together"},
		"plain http":  {"there is no TLS in http", fields{"address": "http://prometheus:9090", "tls": fields{"ca": secret("ca.crt")}}, "prometheus.tls: belongs to an https address"},
		"no value":    {"a header says something", fields{"headers": []any{fields{"name": "X-Key"}}}, "headers: set exactly one of value and valueFrom"},
		"two values":  {"and one thing", fields{"headers": []any{fields{"name": "X-Key", "value": "x", "valueFrom": secret("key")}}}, "headers: set exactly one of value and valueFrom"},
		"two lines":   {"a value can't smuggle in another header", fields{"headers": []any{fields{"name": "X-Key", "value": "x\r\nY: z"}}}, "should match"},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := fields{"address": "https://prometheus:9090"}
			maps.Copy(server, tc.server)
			o, a := readmeRollout(t), sound()
			a["prometheus"] = server
			if err := unstructured.SetNestedField(o, runtime.DeepCopyJSONValue(a), "spec", "strategy", "canary", "analysis"); err != nil {
				t.Fatal(err)
			}
			err := create(t, c, ns, o)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: error %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}
