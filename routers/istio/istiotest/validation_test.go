// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istiotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/validation"
	"istio.io/istio/pkg/util/protomarshal"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// object is one that Istio may have to check.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec json.RawMessage `json:"spec"`
}

// TestGoldenObjects checks what the router makes of every input.
func TestGoldenObjects(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.out.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d outputs, %v; want those of the router's golden tests", len(files), err)
	}
	checked := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checked += check(t, file, raw)
		})
	}
	if checked < 20 {
		t.Errorf("only %d objects were checked", checked)
	}
	t.Logf("%d objects pass Istio's validation", checked)
}

// TestGuide checks the manifests that we tell people to write.
func TestGuide(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/guide/istio.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(raw), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		n += check(t, "the guide", []byte(block))
	}
	if n != 4 {
		t.Errorf("the guide holds %d objects of Istio, want 4", n)
	}
}

// TestRefusals shows that the checks are at work.
func TestRefusals(t *testing.T) {
	cases := map[string]struct{ reason, spec string }{
		"NoWeight":   {"somebody has to be served", `{"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}, "weight": 0}, {"destination": {"host": "b"}, "weight": 0}]}]}`},
		"TwoMirrors": {"mirror and mirrors exclude each other", `{"hosts": ["a"], "http": [{"mirror": {"host": "b"}, "mirrors": [{"destination": {"host": "b"}}], "route": [{"destination": {"host": "a"}}]}]}`},
		"NoRE2":      {"Envoy's regexes are RE2", `{"hosts": ["a"], "http": [{"match": [{"headers": {"x": {"regex": "(?=a)"}}}], "route": [{"destination": {"host": "a"}}]}]}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := object{Kind: "VirtualService", Spec: json.RawMessage(tc.spec)}
			if err := validate(t, o); err == nil {
				t.Errorf("%s, and it was let through", tc.reason)
			}
		})
	}
}

// check validates the Istio objects of a text of several documents and counts them.
func check(t *testing.T, file string, raw []byte) int {
	t.Helper()
	n := 0
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096); ; {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if !strings.HasPrefix(o.APIVersion, "networking.istio.io/") {
			continue
		}
		n++
		if err := validate(t, o); err != nil {
			t.Errorf("%s: %s %s: %v", file, o.Kind, o.Metadata.Name, err)
		}
	}
}

// validate is what the webhook does. Unknown fields are an error too.
func validate(t *testing.T, o object) error {
	t.Helper()
	var spec proto.Message
	check := validation.ValidateVirtualService
	switch o.Kind {
	case "VirtualService":
		spec = &networking.VirtualService{}
	case "DestinationRule":
		spec, check = &networking.DestinationRule{}, validation.ValidateDestinationRule
	default:
		t.Fatalf("no validation is known for %s", o.Kind)
	}
	if err := protomarshal.UnmarshalString(string(o.Spec), spec); err != nil {
		return err
	}
	meta := config.Meta{Name: o.Metadata.Name, Namespace: o.Metadata.Namespace, Annotations: o.Metadata.Annotations}
	warning, err := check(config.Config{Meta: meta, Spec: spec})
	if warning != nil {
		t.Logf("%s %s: %v", o.Kind, o.Metadata.Name, warning)
	}
	return err
}
