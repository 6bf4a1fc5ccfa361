// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// The sample must hold no field that the API does not know, and its addresses must be those that localise replaces.
func TestManifests(t *testing.T) {
	text, err := files.ReadFile("manifests/rollout.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var r v1alpha1.Rollout
	if err := yaml.UnmarshalStrict(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Name != harness.Name || r.Namespace != namespace {
		t.Errorf("the sample is %s/%s, want %s/%s", r.Namespace, r.Name, namespace, harness.Name)
	}
	shop, err := files.ReadFile("manifests/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{cluster: &harness.Cluster{Settings: harness.Settings{
		PrometheusURL: "http://p:1", GatewayNamespace: "gw", GatewayName: "g", ImagePrefix: "here/",
	}}}
	got := d.localise(string(text) + string(shop))
	for _, want := range []string{`address: "http://p:1"`, "{namespace: gw, name: g}", "image: here/shop:dev"} {
		if !strings.Contains(got, want) {
			t.Errorf("the localised manifests lack %s", want)
		}
	}
}

func TestScreen(t *testing.T) {
	dir := t.TempDir()
	terminal, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = terminal.Close() }()
	s, err := newScreen(terminal, filepath.Join(dir, "transcript"))
	if err != nil {
		t.Fatal(err)
	}
	s.say("%s%s%s", red, "bad", plain)
	s.colour = true
	s.say("%s%s%s", green, "good", plain)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"transcript": "bad\ngood\n", "out": "bad\n" + green + "good" + plain + "\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}
