// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"encoding/json"
	"os"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"sigs.k8s.io/yaml"
)

// Canonical is YAML in the one form in which golden objects are kept, so that
// two of them differ only where their fields do.
func Canonical(t *testing.T, body string) string {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := yaml.JSONToYAML(asJSON)
	if err != nil {
		t.Fatal(err)
	}
	return string(canonical)
}

// Encode gives a value in YAML.
func Encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Save writes a golden file.
func Save(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Patched applies a JSON patch to YAML the way the API server does, to bytes.
func Patched(t *testing.T, body string, operations any) string {
	t.Helper()
	before, err := yaml.YAMLToJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(before)
	if err != nil {
		t.Fatalf("apply %s: %v", raw, err)
	}
	return Canonical(t, string(after))
}
