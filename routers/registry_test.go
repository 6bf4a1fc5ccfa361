// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routers_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// idle steers nothing and remembers who it is.
type idle struct{ name string }

func (idle) Observe(context.Context, client.Reader, routers.Route) (traffic.Observed, error) {
	return traffic.Observed{}, nil
}
func (idle) Apply(context.Context, routers.Route, traffic.Split) error { return nil }
func (idle) Release(context.Context, routers.Route) error              { return nil }

func entry(name string, kinds ...string) routers.Entry {
	e := routers.Entry{
		Name:  name,
		Watch: []client.Object{&corev1.Service{}},
		New:   func(client.Client, client.Reader) routers.Router { return idle{name: name} },
	}
	for _, kind := range kinds {
		e.Kinds = append(e.Kinds, schema.GroupKind{Group: "example.com", Kind: kind})
	}
	return e
}

func TestNewRegistry(t *testing.T) {
	nameless := entry("", "A")
	unbuilt := entry("a", "A")
	unbuilt.New = nil
	cases := map[string]struct {
		reason  string
		entries []routers.Entry
		want    string
	}{
		"None":          {reason: "no router is a registry in which nothing is found"},
		"Two":           {reason: "different kinds live together", entries: []routers.Entry{entry("a", "A", "B"), entry("b", "C")}},
		"SameName":      {reason: "a name is listed once", entries: []routers.Entry{entry("a", "A"), entry("a", "B")}, want: `router "a": listed twice; remove one`},
		"SameKind":      {reason: "a kind has one router", entries: []routers.Entry{entry("a", "A"), entry("b", "A")}, want: `router "b": A.example.com is already steered by "a"`},
		"SameKindTwice": {reason: "also within one entry", entries: []routers.Entry{entry("a", "A", "A")}, want: `router "a": A.example.com is already steered by "a"`},
		"Nameless":      {reason: "an entry has a name", entries: []routers.Entry{nameless}, want: `router "": an entry needs Name, Kinds and New`},
		"Kindless":      {reason: "an entry has kinds", entries: []routers.Entry{entry("a")}, want: `router "a": an entry needs Name, Kinds and New`},
		"Unbuilt":       {reason: "an entry can be built", entries: []routers.Entry{unbuilt}, want: `router "a": an entry needs Name, Kinds and New`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := routers.NewRegistry(nil, nil, tc.entries...)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: error (-want, +got):\n%s", tc.reason, diff)
			}
			if err == nil && len(r.Watched()) != len(tc.entries) {
				t.Errorf("%s: %d kinds watched, want one an entry", tc.reason, len(r.Watched()))
			}
		})
	}
}

func TestFor(t *testing.T) {
	registry, err := routers.NewRegistry(nil, nil, entry("a", "A"), entry("b", "B"))
	if err != nil {
		t.Fatal(err)
	}
	const field = "spec.strategy.canary.routes[3]"
	cases := map[string]struct {
		reason string
		ref    v1alpha1.RouteRef
		want   string
		wrong  *routers.Problem
	}{
		"Found":        {reason: "the kind decides", ref: v1alpha1.RouteRef{APIVersion: "example.com/v1", Kind: "B"}, want: "b"},
		"AnyVersion":   {reason: "the version doesn't", ref: v1alpha1.RouteRef{APIVersion: "example.com/v2beta1", Kind: "B"}, want: "b"},
		"UnknownKind":  {reason: "the kinds supported are listed", ref: v1alpha1.RouteRef{APIVersion: "example.com/v1", Kind: "C"}, wrong: &routers.Problem{Field: field + ".kind", Message: "C.example.com can't be steered; use one of A.example.com, B.example.com"}},
		"UnknownGroup": {reason: "the group counts", ref: v1alpha1.RouteRef{APIVersion: "v1", Kind: "A"}, wrong: &routers.Problem{Field: field + ".kind", Message: "A can't be steered; use one of A.example.com, B.example.com"}},
		"Nonsense":     {reason: "an apiVersion has one slash at most", ref: v1alpha1.RouteRef{APIVersion: "a/b/c", Kind: "A"}, wrong: &routers.Problem{Field: field + ".apiVersion", Message: `"a/b/c" is not of the form group/version; write gateway.networking.k8s.io/v1, for example`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			router, err := registry.For(routers.Route{Ref: tc.ref, Field: field})
			var wrong *routers.Problem
			if err != nil && !errors.As(err, &wrong) {
				t.Fatalf("%s: error %v is not a problem", tc.reason, err)
			}
			if diff := cmp.Diff(tc.wrong, wrong); diff != "" {
				t.Errorf("%s: problem (-want, +got):\n%s", tc.reason, diff)
			}
			got := ""
			if found, ok := router.(idle); ok {
				got = found.name
			}
			if got != tc.want {
				t.Errorf("%s: router %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}
