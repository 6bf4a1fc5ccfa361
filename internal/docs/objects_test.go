// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/internal/cli"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// foreign are groups that the API server of these tests does not know.
var foreign = []string{"keda.sh", "monitoring.coreos.com", "argoproj.io", "flagger.app", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"}

// fragments are pages that also show parts of objects, which other tests create.
var fragments = []string{"docs/guide/analysis.md", "docs/presets.md", "docs/metrics-servers.md", "docs/adding-a-provider.md", "docs/adding-a-router.md"}

// parse reads a document; nil is a part of an object.
func parse(t *testing.T, p page, document string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict([]byte(document), &o.Object); err != nil {
		if slices.Contains(fragments, p.path) {
			return nil
		}
		t.Fatalf("%s: %v in:\n%s", p.path, err, document)
	}
	if o.GetKind() == "" {
		if !slices.Contains(fragments, p.path) {
			t.Errorf("%s shows a part of an object, which nobody can apply:\n%s", p.path, document)
		}
		return nil
	}
	return o
}

// TestObjectsAreAdmitted has a real API server judge every object of every page.
func TestObjectsAreAdmitted(t *testing.T) {
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for _, p := range pages(t) {
		t.Run(p.path, func(t *testing.T) {
			for _, document := range p.documents() {
				o := parse(t, p, document)
				if o == nil || slices.Contains(foreign, o.GroupVersionKind().Group) {
					continue
				}
				mapping, err := c.RESTMapper().RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
				if err != nil {
					t.Errorf("%s: %v", o.GetKind(), err)
					continue
				}
				if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
					o.SetNamespace(ns)
				}
				if err := c.Create(t.Context(), o, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
					t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
				}
			}
		})
	}
}

// TestRolloutsPlay plays a good release of every Rollout of every page, and of the samples, to its promotion.
func TestRolloutsPlay(t *testing.T) {
	for _, p := range append(pages(t), samples(t)...) {
		t.Run(p.path, func(t *testing.T) {
			var rollouts, others []string
			for _, document := range p.documents() {
				o := parse(t, p, document)
				switch {
				case o == nil:
				case o.GetKind() == "Rollout" && o.GroupVersionKind().Group == "sluice.dev":
					rollouts = append(rollouts, document)
				case o.GetKind() != "Rollout":
					others = append(others, document)
				}
			}
			for _, ro := range rollouts {
				out, problem, code := sluice(t, strings.Join(append(others, ro), "---\n"), "simulate", "-f", "-")
				if code != cli.ExitOK || !strings.Contains(out, "\npromoted after ") {
					t.Errorf("exit code %d: %s%s\n%s", code, problem, ro, out)
				}
			}
		})
	}
}

// samples are the manifests that the README has people apply, as one page.
func samples(t *testing.T) []page {
	t.Helper()
	var list struct{ Resources []string }
	if err := yaml.Unmarshal([]byte(read(t, "config/samples/kustomization.yaml").text), &list); err != nil {
		t.Fatal(err)
	}
	all := page{path: "config/samples"}
	for _, name := range list.Resources {
		all.text += "```yaml\n" + read(t, "config/samples/"+name).text + "```\n"
	}
	return []page{all}
}

// TestReadmeAndSamplesAgree: the Rollout that the README begins with is the
// one that its commands apply, and what it names is there.
func TestReadmeAndSamplesAgree(t *testing.T) {
	readme := read(t, "README.md")
	shown := parse(t, readme, readme.documents()[0])
	there := map[string]*unstructured.Unstructured{}
	for _, p := range samples(t) {
		for _, document := range p.documents() {
			o := parse(t, p, document)
			there[o.GetKind()+"/"+o.GetName()] = o
		}
	}
	if diff := cmp.Diff(shown, there["Rollout/"+shown.GetName()]); diff != "" {
		t.Errorf("README.md and config/samples/rollout.yaml differ (-README +sample):\n%s", diff)
	}
	for _, needed := range []string{"Deployment/shop", "Service/shop", "Service/shop-canary", "HTTPRoute/shop"} {
		if there[needed] == nil {
			t.Errorf("config/samples lacks %s, which the README's Rollout names", needed)
		}
	}
}

// TestImageIsReplaced: the README's way to put another image and version into
// deploy/install.yaml finds those that are there, each once.
func TestImageIsReplaced(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "README.md").text, "sed '")
	script, _, found := strings.Cut(rest, "' deploy/install.yaml")
	install := read(t, "deploy/install.yaml").text
	for command := range strings.SplitSeq(script, ";") {
		parts := strings.Split(strings.TrimSpace(command), "#")
		if n := strings.Count(install, parts[1]+"\n"); !found || n != 1 {
			t.Errorf("README.md replaces %q, which deploy/install.yaml holds %d times", parts[1], n)
		}
	}
}
