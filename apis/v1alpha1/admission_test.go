// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// manifests parses the documents of a file that is shipped.
func manifests(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq(string(raw), "\n---") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, o)
	}
	return all
}

// policed is a namespace with a Rollout and people, under the policies as they are shipped.
type policed struct {
	*testing.T
	env     *testenv.Env
	admin   client.Client
	rollout *unstructured.Unstructured
}

func police(t *testing.T) *policed {
	t.Helper()
	env := testenv.Start(t)
	p := &policed{T: t, env: env, admin: env.Client(t, runtime.NewScheme())}
	p.rollout = &unstructured.Unstructured{Object: readmeRollout(t)}
	p.rollout.SetNamespace(env.Namespace(t))
	if err := p.admin.Create(t.Context(), p.rollout); err != nil {
		t.Fatal(err)
	}
	p.until("let go of the policies of the test before", func() bool { return p.send(p.admin, annotate("promote")) == nil })
	for _, path := range []string{"../../config/rbac/user_roles.yaml", "../../config/admission/commands.yaml", "../../config/admission/edits.yaml"} {
		for _, o := range manifests(t, path) {
			if err := p.admin.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := p.admin.Delete(context.WithoutCancel(t.Context()), o); err != nil {
					t.Error(err)
				}
			})
		}
	}
	p.grant("ada", "sluice-release-manager")
	p.grant("ben", "sluice-edit")
	p.until("act by the policies and roles", func() bool {
		command, edit := p.patch("ada", annotate("promote")), p.patch("ada", `{"spec": {"paused": true}}`)
		return isDenied(command, "by") && isDenied(edit, "update on rollouts.sluice.dev") && p.patch("ben", `{"metadata": {"labels": {"a": "b"}}}`) == nil
	})
	return p
}

// until waits for the API server, which hears of policies and of roles a moment later.
func (p *policed) until(does string, yes func() bool) {
	p.Helper()
	err := wait.PollUntilContextTimeout(p.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return yes(), nil })
	if err != nil {
		p.Fatalf("The API server does not %s: administrator %v, ada %v, ben %v", does,
			p.send(p.admin, annotate("promote")), p.patch("ada", annotate("promote")), p.patch("ben", `{"metadata": {"labels": {"a": "b"}}}`))
	}
}

// grant binds a shipped ClusterRole to a user in the Rollout's namespace.
func (p *policed) grant(user, role string) {
	p.Helper()
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
		"metadata": map[string]any{"name": user, "namespace": p.rollout.GetNamespace()},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}},
	}}
	if err := p.admin.Create(p.Context(), binding); err != nil {
		p.Fatal(err)
	}
}

// patch changes the Rollout as a user.
func (p *policed) patch(user, body string) error {
	p.Helper()
	return p.send(p.as(user), body)
}

func (p *policed) send(c client.Client, body string) error {
	return c.Patch(p.Context(), p.rollout.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(body)), client.DryRunAll)
}

// as is a client of a user's.
func (p *policed) as(user string) client.Client {
	p.Helper()
	config := rest.CopyConfig(p.env.Config)
	config.Impersonate.UserName = user
	c, err := client.New(config, client.Options{Scheme: runtime.NewScheme()})
	if err != nil {
		p.Fatal(err)
	}
	return c
}

func annotate(value string) string {
	return fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.CommandAnnotation, value)
}

// TestAdmission asks the real API server who may do what, with two people: ada
// decides on releases, ben edits Rollouts.
func TestAdmission(t *testing.T) {
	p := police(t)
	cases := map[string]struct {
		reason string
		user   string
		patch  string
		// denied is part of the refusal; empty means that the change is let through.
		denied string
	}{
		"ManagerPromotes": {"A release manager has the verb promote.", "ada", annotate(`{"id":"1","verb":"promote","by":"ada"}`), ""},
		"SpacesAndReason": {"People write JSON by hand, with quotes in their reasons.", "ada",
			annotate(` { "id": "2", "verb": "abort", "step": 3, "by": "ada", "reason": "says \"no\", \"verb\": \"restart\"" } `), ""},
		"ManagerRestarts":   {"A verb that was not granted is refused by name.", "ada", annotate(`{"id":"3","verb":"restart","by":"ada"}`), "User ada may not restart Rollout"},
		"EditorRestarts":    {"Whoever may edit has every verb.", "ben", annotate(`{"id":"3","verb":"restart","by":"ben"}`), ""},
		"OtherName":         {"Nobody speaks in another's name.", "ada", annotate(`{"id":"4","verb":"promote","by":"ben"}`), `"by" must name who asks, "ada"`},
		"NoName":            {"A command without a name is none.", "ada", annotate(`{"id":"4","verb":"promote"}`), "once each"},
		"TwoVerbs":          {"Of two verbs the controller would read the second.", "ada", annotate(`{"id":"5","verb":"promote","by":"ada","verb":"restart"}`), "once each"},
		"TwoVerbsSpelt":     {"Go reads fields in any case.", "ada", annotate(`{"id":"5","verb":"promote","by":"ada","Verb":"restart"}`), "once each"},
		"EscapedVerb":       {"An escaped verb would not be what it looks like.", "ada", annotate(`{"id":"6","v\u0065rb":"restart","verb":"promote","by":"ada"}`), "once each"},
		"EscapedName":       {"Nor would an escaped name.", "ada", annotate(`{"id":"6","verb":"promote","by":"x\",\"by\":\"ada"}`), "once each"},
		"NoID":              {"Nothing else tells a command from the one before.", "ada", annotate(`{"verb":"promote","by":"ada"}`), "once each"},
		"NoJSON":            {"A bare word is refused with an example.", "ada", annotate("promote"), `such as {"id": "1", "verb": "promote", "by": "ada"}`},
		"ManagerEditsSpec":  {"The right to patch does not reach the spec.", "ada", `{"spec": {"paused": true}}`, "User ada may change no more of Rollout"},
		"ManagerEditsLabel": {"Nor a label.", "ada", `{"metadata": {"labels": {"a": "b"}}}`, "may change no more"},
		"ManagerAnnotates":  {"Nor another annotation.", "ada", `{"metadata": {"annotations": {"a": "b"}}}`, "may change no more"},
		"ManagerFinalizes":  {"Nor a finalizer, which would leave routes behind.", "ada", `{"metadata": {"finalizers": ["sluice.dev/a"]}}`, "may not change the finalizers"},
		"EditorEditsSpec":   {"An editor edits.", "ben", `{"spec": {"paused": true}, "metadata": {"labels": {"a": "b"}}}`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := p.patch(tc.user, tc.patch)
			if tc.denied == "" && err != nil {
				t.Errorf("%s\nwant it let through, got: %v", tc.reason, err)
			}
			if tc.denied != "" && !isDenied(err, tc.denied) {
				t.Errorf("%s\nwant a refusal with %q, got: %v", tc.reason, tc.denied, err)
			}
		})
	}
}

// TestAdmissionGuardsAnAbort that waits for the controller, on a Rollout that was
// restored from a backup by somebody else than who asked.
func TestAdmissionGuardsAnAbort(t *testing.T) {
	p := police(t)
	namespace := p.rollout.GetNamespace()
	p.rollout = &unstructured.Unstructured{Object: readmeRollout(t)}
	p.rollout.SetNamespace(namespace)
	p.rollout.SetName("restored")
	p.rollout.SetAnnotations(map[string]string{v1alpha1.CommandAnnotation: `{"id":"1","verb":"abort","by":"ada"}`})
	if err := p.as("ben").Create(t.Context(), p.rollout); err != nil {
		t.Fatalf("restored by another: %v", err)
	}
	promote := annotate(`{"id":"2","verb":"promote","by":"ada"}`)
	if err := p.patch("ada", promote); !isDenied(err, "an abort waits for the controller") || !isDenied(err, "annotate rollouts.sluice.dev restored sluice.dev/command-") {
		t.Errorf("another command in its place: %v", err)
	}
	for what, patch := range map[string]string{
		"another abort": annotate(`{"id":"2","verb":"abort","by":"ada"}`), "taking it back": fmt.Sprintf(`{"metadata": {"annotations": {%q: null}}}`, v1alpha1.CommandAnnotation),
	} {
		if err := p.patch("ada", patch); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	handled := `{"status": {"lastCommand": {"id": "1", "verb": "abort", "result": "Accepted", "at": "2026-01-01T00:00:00Z"}}}`
	if err := p.admin.Status().Patch(t.Context(), p.rollout.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(handled))); err != nil {
		t.Fatal(err)
	}
	if err := p.patch("ada", promote); err != nil {
		t.Errorf("another command once it was handled: %v", err)
	}
}

func isDenied(err error, with string) bool {
	return err != nil && strings.Contains(err.Error(), with)
}
