// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/itchyny/gojq"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/routers/routertest"
)

// ignored is the list of jq paths that Argo CD is told to ignore in a kind of route.
func ignored(t *testing.T, kind string) map[string][]string {
	t.Helper()
	type rules struct {
		Kind  string   `json:"kind"`
		Paths []string `json:"jqPathExpressions"`
	}
	var application struct {
		Spec struct {
			IgnoreDifferences []rules `json:"ignoreDifferences"`
		} `json:"spec"`
	}
	decode(t, shipped(t, "argocd/application.yaml"), &application)
	found := map[string][]string{}
	for _, r := range application.Spec.IgnoreDifferences {
		if r.Kind == kind {
			found["application.yaml"] = r.Paths
		}
	}
	var config struct {
		Data map[string]string `json:"data"`
	}
	decode(t, shipped(t, "argocd/argocd-cm.yaml"), &config)
	var all rules
	decode(t, config.Data["resource.customizations.ignoreDifferences.gateway.networking.k8s.io_"+kind], &all)
	found["argocd-cm.yaml"] = all.Paths
	for name, paths := range found {
		if len(paths) < 4 {
			t.Fatalf("%s ignores %q of a %s", name, paths, kind)
		}
	}
	return found
}

// shipped reads a file of deploy, with the Services of the golden routes in it.
func shipped(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("shop-stable", "checkout-stable", "shop-canary", "checkout-canary", "shop-baseline", "checkout-baseline").Replace(string(raw))
}

// TestArgoCDSeesTheUsersManifest: of every golden route that the router wrote,
// what Argo CD still compares equals what it compares of the user's manifest.
func TestArgoCDSeesTheUsersManifest(t *testing.T) {
	for name, pair := range writtenRoutes(t) {
		t.Run(name, func(t *testing.T) {
			kind, _ := pair.before["kind"].(string)
			for file, paths := range ignored(t, kind) {
				before, after := compared(t, pair.before, paths), compared(t, pair.after, paths)
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("with %s Argo CD finds a difference (-Git, +cluster):\n%s", file, diff)
				}
				spec, _ := after["spec"].(map[string]any)
				if rules, _ := spec["rules"].([]any); len(rules) == 0 {
					t.Errorf("with %s Argo CD compares no rule at all", file)
				}
			}
		})
	}
}

// compared is what is left of a route, as Argo CD prepares it: each path deleted in turn.
func compared(t *testing.T, route map[string]any, paths []string) map[string]any {
	t.Helper()
	var left any = (&unstructured.Unstructured{Object: route}).DeepCopy().Object
	for _, path := range paths {
		query, err := gojq.Parse("del(" + path + ")")
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		result, ok := query.Run(left).Next()
		if err, failed := result.(error); failed || !ok {
			t.Fatalf("%s: %v", path, err)
		}
		left = result
	}
	object, ok := left.(map[string]any)
	if !ok {
		t.Fatalf("%v is left", left)
	}
	return object
}

// TestFluxSeesTheUsersManifest does the same with JSON pointers, for both of Flux's controllers.
func TestFluxSeesTheUsersManifest(t *testing.T) {
	type rules []struct {
		Target struct {
			Kind string `json:"kind"`
		} `json:"target"`
		Paths []string `json:"paths"`
	}
	var kustomization struct {
		Spec struct {
			Ignore rules `json:"ignore"`
		} `json:"spec"`
	}
	decode(t, shipped(t, "flux/kustomization.yaml"), &kustomization)
	var release struct {
		Spec struct {
			DriftDetection struct {
				Ignore rules `json:"ignore"`
			} `json:"driftDetection"`
		} `json:"spec"`
	}
	decode(t, shipped(t, "flux/helmrelease.yaml"), &release)
	for file, rs := range map[string]rules{"kustomization.yaml": kustomization.Spec.Ignore, "helmrelease.yaml": release.Spec.DriftDetection.Ignore} {
		for name, pair := range writtenRoutes(t) {
			kind, _ := pair.before["kind"].(string)
			if len(rs) != 1 || !regexp.MustCompile("^(?:"+rs[0].Target.Kind+")$").MatchString(kind) {
				t.Fatalf("%s does not reach a %s", file, kind)
			}
			if diff := cmp.Diff(pointed(t, pair.before, rs[0].Paths), pointed(t, pair.after, rs[0].Paths)); diff != "" {
				t.Errorf("with %s Flux finds a difference in %s (-Git, +cluster):\n%s", file, name, diff)
			}
		}
	}
}

// pointed is what is left of a route without what JSON pointers name. Flux
// compares only fields that Git has, so an annotation list of nothing is none.
func pointed(t *testing.T, route map[string]any, paths []string) string {
	t.Helper()
	left, err := (&unstructured.Unstructured{Object: route}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		patch, err := jsonpatch.DecodePatch([]byte(fmt.Sprintf(`[{"op": "remove", "path": %q}]`, path)))
		if err != nil {
			t.Fatal(err)
		}
		options := jsonpatch.NewApplyOptions()
		options.AllowMissingPathOnRemove = true
		if left, err = patch.ApplyWithOptions(left, options); err != nil {
			t.Fatal(err)
		}
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(left); err != nil {
		t.Fatal(err)
	}
	if len(o.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	return routertest.Encode(t, o.Object)
}

// written is a route before and after.
type written struct{ before, after map[string]any }

// writtenRoutes are the golden routes that were written, with plain numbers as jq has them.
func writtenRoutes(t *testing.T) map[string]written {
	t.Helper()
	outputs, err := filepath.Glob("testdata/*.out.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]written{}
	for _, path := range outputs {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, after, done := strings.Cut(string(raw), "---\n")
		_, before := split(t, strings.TrimSuffix(path, ".out.yaml")+".in.yaml")
		if !done {
			continue
		}
		var pair written
		decode(t, before, &pair.before)
		decode(t, after, &pair.after)
		all[strings.TrimSuffix(filepath.Base(path), ".out.yaml")] = pair
	}
	if len(all) < 25 {
		t.Fatalf("%d golden routes that were written, want at least 25", len(all))
	}
	return all
}
