// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// besides are splits with something beside the shares, in the order in which a
// release may ask for them; each can follow any other.
func besides() []traffic.Split {
	header := func(name, value string) []v1alpha1.RequestMatch {
		return []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Name: name, Exact: ptr.To(value)}}}}
	}
	at := func(weight, mirror int32, matches ...v1alpha1.MatchRoute) traffic.Split {
		s := traffic.CanaryAt(weight)
		s.Mirror, s.Matches = mirror, matches
		return s
	}
	control := func(weight, baseline int32, matches ...v1alpha1.MatchRoute) traffic.Split {
		s := traffic.Split{Baseline: baseline}.At(weight)
		s.Matches = matches
		return s
	}
	keep := func(weight, mirror int32, value string, draws ...int32) traffic.Split {
		s := at(weight, mirror)
		s.Sticky = &traffic.Sticky{Cookie: "sluice-version", Value: value, MaxAge: time.Hour, Draws: draws}
		return s
	}
	fair := traffic.Split{Baseline: 20}.At(20)
	fair.Sticky = keep(20, 0, "7d9f-1", 5).Sticky
	tested := keep(50, 0, "7d9f-2", 5, 20)
	renamed := keep(20, 0, "7d9f-1", 5)
	renamed.Sticky.Cookie = "sluice" // of whose name another's begins
	testers := v1alpha1.MatchRoute{Name: "testers", Match: header("X-Canary", "1")}
	staff := v1alpha1.MatchRoute{Name: "staff", Match: append(header("X-Staff", "a"), header("X-Staff", "b")...)}
	tested.Matches = []v1alpha1.MatchRoute{testers}
	return []traffic.Split{
		at(0, 0, testers), at(25, 0, testers), at(25, 0, staff, testers), at(100, 0, testers), at(0, 0),
		at(0, 10), at(50, 10), at(50, 100), at(0, 0),
		at(1, 5, testers, staff), at(99, 0, testers), at(99, 50), at(0, 5, staff), at(0, 0),
		control(0, 5), control(5, 5), control(5, 20), control(50, 50), control(20, 20, testers), control(0, 1, staff), at(0, 0),
		keep(5, 0, "7d9f-1"), keep(20, 0, "7d9f-1", 5), renamed, fair, keep(20, 10, "7d9f-1", 5), keep(50, 0, "7d9f-1", 5, 20), tested, at(0, 0),
		keep(5, 0, "7d9f-2"), at(100, 0), keep(99, 0, "7d9f-2", 1, 5, 20), at(25, 0, testers), at(0, 0),
	}
}

// besideOrRefused: a kind either carries matches and mirrors, exactly and
// without a trace afterwards, or refuses them before anything is written.
func besideOrRefused(t *testing.T, b bench) {
	before := b.foreign(t)
	for _, want := range besides() {
		if b.refuses(t, want) {
			continue
		}
		b.apply(t, want)
		b.carries(t, traffic.Split{Baseline: want.Baseline}.At(want.Canary))
		b.settle(t)
		if got := b.observe(t); !b.carried(got, want) {
			t.Fatalf("Observe after Apply(%v) = %+v", want, got)
		}
		writes := b.writer.writes
		b.apply(t, want)
		if b.writer.writes != writes {
			t.Errorf("a second Apply of %v wrote", want)
		}
		if diff := cmp.Diff(before, b.foreign(t)); diff != "" {
			t.Fatalf("Apply of %v changed what isn't the router's (-before, +after):\n%s", want, diff)
		}
	}
}

// besideIsReleased: Release takes away whatever goes beside the shares.
func besideIsReleased(t *testing.T, b bench) {
	b.apply(t, traffic.CanaryAt(0))
	rest := b.object(t)
	for _, want := range besides() {
		if b.refuses(t, want) {
			continue
		}
		b.apply(t, want)
		b.release(t)
		got := b.object(t)
		if diff := cmp.Diff(rest.Object["spec"], got.Object["spec"]); diff != "" {
			t.Fatalf("after %v and Release a trace is left (-rest, +got):\n%s", want, diff)
		}
		if diff := cmp.Diff(rest.GetAnnotations(), got.GetAnnotations()); diff != "" {
			t.Fatalf("after %v and Release an annotation differs (-rest, +got):\n%s", want, diff)
		}
	}
}

// refuses reports whether the kind can't carry a split; then Apply must say so
// in the words of the registry, and write nothing.
func (b bench) refuses(t *testing.T, want traffic.Split) bool {
	t.Helper()
	registry, err := routers.NewRegistry(b.writer, b.Client, b.Entry)
	if err != nil {
		t.Fatal(err)
	}
	refusal := registry.Refuses(b.route, want)
	if refusal == nil {
		return false
	}
	writes := b.writer.writes
	applying := b.router.Apply(t.Context(), b.route, want)
	for what, err := range map[string]error{"Refuses": refusal, "Apply": applying} {
		var problem *routers.Problem
		if !errors.As(err, &problem) || !strings.HasPrefix(problem.Field, b.route.Field) || !strings.Contains(problem.Message, b.route.Ref.Kind) {
			t.Errorf("%s of %v says %v, want a *routers.Problem under %s that names the kind", what, want, err, b.route.Field)
		}
	}
	if b.writer.writes != writes {
		t.Errorf("%v was refused and written all the same", want)
	}
	return true
}

// oneWriteEach: whatever changes, one write carries it.
func oneWriteEach(t *testing.T, b bench) {
	b.apply(t, traffic.CanaryAt(0))
	at := traffic.CanaryAt(0)
	for _, want := range besides() {
		if want.Equal(at) || b.refuses(t, want) {
			continue
		}
		writes := b.writer.writes
		b.apply(t, want)
		if got := b.writer.writes - writes; got != 1 {
			t.Errorf("from %v to %v took %d writes, want 1", at, want, got)
		}
		at = want
	}
}
