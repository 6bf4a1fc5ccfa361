// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Run tests a router against the contract in [routers.Router].
func Run(t *testing.T, f Fixture) {
	laws := map[string]func(*testing.T, bench){
		"ObserveEqualsApply":   observeEqualsApply,
		"ApplyIsIdempotent":    applyIsIdempotent,
		"EditionTellsWrites":   editionTellsWrites,
		"ForeignFieldsSurvive": foreignFieldsSurvive,
		"InvalidSplitRefused":  invalidSplitRefused,
		"ReleaseTwice":         releaseTwice,
		"ReleaseWhenGone":      releaseWhenGone,
		"DriftIsSeen":          driftIsSeen,
		"ChangedMeanwhile":     changedMeanwhile,
		"ChangedForEver":       changedForEver,
		"MissingIsAProblem":    missingIsAProblem,
		"BesideOrRefused":      besideOrRefused,
		"BesideIsReleased":     besideIsReleased,
		"OwnWeightsComeBack":   ownWeightsComeBack,
		"OneWriteEach":         oneWriteEach,
	}
	if f.Second != nil {
		laws["SecondFollows"] = secondFollows
		laws["DefinedAfterEachWrite"] = definedAfterEachWrite
		laws["SecondMissing"] = secondMissing
	}
	for name, law := range laws {
		t.Run(name, func(t *testing.T) { law(t, f.bench(t)) })
	}
}

// shares are walked in this order: up to everything, and back.
func shares() []int32 { return []int32{0, 5, 25, 50, 100, 1, 99, 0} }

func observeEqualsApply(t *testing.T, b bench) {
	for i, share := range shares() {
		want := traffic.CanaryAt(share)
		b.apply(t, want)
		b.carries(t, want)
		if b.Settle != nil && i > 0 && b.observe(t).ConfirmedAll(want) {
			t.Errorf("%v counts as confirmed before the data plane has answered", want)
		}
		b.settle(t)
		if got := b.observe(t); !b.carried(got, want) {
			t.Errorf("Observe after Apply(%v) = %+v", want, got)
		}
	}
}

// carried: the route carries want, and the data plane has said so, or never says
// anything and is not quoted.
func (b bench) carried(got traffic.Observed, want traffic.Split) bool {
	if b.Settle == nil {
		return got.RequestedAll(want) && got.Silent && len(got.Confirmed) == 0
	}
	return got.ConfirmedAll(want) && !got.Silent
}

func applyIsIdempotent(t *testing.T, b bench) {
	for _, share := range shares() {
		b.apply(t, traffic.CanaryAt(share))
		writes, before := b.writer.writes, b.version(t)
		b.apply(t, traffic.CanaryAt(share))
		if b.writer.writes != writes || b.version(t) != before {
			t.Errorf("a second Apply of %d %% wrote", share)
		}
	}
}

// editionTellsWrites: who looks now and then can tell a route that nobody has written to
// from one that was written to and back.
func editionTellsWrites(t *testing.T, b bench) {
	seen := map[string]int32{}
	for _, share := range shares() {
		b.apply(t, traffic.CanaryAt(share))
		written := b.observe(t).Edition
		if before, again := seen[written]; again {
			t.Errorf("at %d %% the edition is %q, as it was at %d %%", share, written, before)
		}
		seen[written] = share
		b.apply(t, traffic.CanaryAt(share))
		b.settle(t)
		if still := b.observe(t).Edition; still != written {
			t.Errorf("nobody writes and the data plane answers: from edition %q to %q", written, still)
		}
	}
}

func foreignFieldsSurvive(t *testing.T, b bench) {
	before := b.foreign(t)
	for _, share := range shares() {
		b.apply(t, traffic.CanaryAt(share))
		if diff := cmp.Diff(before, b.foreign(t)); diff != "" {
			t.Fatalf("Apply of %d %% changed what isn't the router's (-before, +after):\n%s", share, diff)
		}
	}
	b.apply(t, traffic.CanaryAt(50))
	b.release(t)
	if diff := cmp.Diff(before, b.foreign(t)); diff != "" {
		t.Errorf("Release changed what isn't the router's (-before, +after):\n%s", diff)
	}
}

func invalidSplitRefused(t *testing.T, b bench) {
	writes := b.writer.writes
	for _, bad := range []traffic.Split{{}, {Stable: 10, Canary: 10}, {Stable: 101, Canary: -1}} {
		if err := b.router.Apply(t.Context(), b.route, bad); err == nil {
			t.Errorf("Apply(%+v) was accepted", bad)
		}
	}
	if b.writer.writes != writes {
		t.Error("a refused split was written")
	}
}

func releaseTwice(t *testing.T, b bench) {
	b.apply(t, traffic.CanaryAt(50))
	b.release(t)
	b.carries(t, traffic.CanaryAt(0))
	writes := b.writer.writes
	b.release(t)
	if b.writer.writes != writes {
		t.Error("a second Release wrote")
	}
	if got := b.observe(t); !got.RequestedAll(traffic.CanaryAt(0)) {
		t.Errorf("Observe after Release = %+v, want everything at stable", got)
	}
}

func releaseWhenGone(t *testing.T, b bench) {
	b.remove(t)
	b.release(t)
}

func driftIsSeen(t *testing.T, b bench) {
	const drifted = 37
	want := traffic.CanaryAt(25)
	b.apply(t, want)
	b.settle(t)
	if err := b.Drift(t.Context(), b.Client, b.route, drifted); err != nil {
		t.Fatalf("Drift: %v", err)
	}
	if got := b.observe(t); !got.RequestedAll(traffic.CanaryAt(drifted)) || got.ConfirmedAll(want) {
		t.Errorf("Observe after somebody set %d %% = %+v", drifted, got)
	}
	b.apply(t, want)
	if got := b.observe(t); !got.RequestedAll(want) {
		t.Errorf("Observe after Apply over an edit = %+v, want %v", got, want)
	}
}

// changedMeanwhile: somebody writes between the router's read and its write, once.
func changedMeanwhile(t *testing.T, b bench) {
	want := traffic.CanaryAt(25)
	other := &rival{Client: b.Client, object: b.object(t), times: 1}
	if err := b.through(t, other).Apply(t.Context(), b.route, want); err != nil {
		t.Fatalf("Apply against one rival write: %v", err)
	}
	if got := b.observe(t); !got.RequestedAll(want) {
		t.Errorf("Observe after Apply against a rival = %+v, want %v", got, want)
	}
	if got := b.object(t).GetAnnotations()[rivalMark]; got != "1" {
		t.Errorf("the rival's annotation is %q, want it kept", got)
	}
}

// changedForEver: each read is outdated at once. The router must give up, and
// must not have written on ground that it doesn't know.
func changedForEver(t *testing.T, b bench) {
	before := b.observe(t)
	other := &rival{Client: b.Client, object: b.object(t), times: 1000}
	if err := b.through(t, other).Apply(t.Context(), b.route, traffic.CanaryAt(25)); err == nil {
		t.Error("Apply against endless rival writes reported success")
	}
	if diff := cmp.Diff(before.Requested, b.observe(t).Requested); diff != "" {
		t.Errorf("Apply failed and wrote all the same (-before, +after):\n%s", diff)
	}
}

func missingIsAProblem(t *testing.T, b bench) {
	b.remove(t)
	_, observing := b.router.Observe(t.Context(), b.Client, b.route)
	applying := b.router.Apply(t.Context(), b.route, traffic.CanaryAt(5))
	for verb, err := range map[string]error{"Observe": observing, "Apply": applying} {
		var problem *routers.Problem
		if !errors.As(err, &problem) {
			t.Errorf("%s of a route that doesn't exist: error %v, want a *routers.Problem", verb, err)
			continue
		}
		if !strings.HasPrefix(problem.Field, b.route.Field) || !strings.Contains(problem.Message, b.route.Ref.Name) {
			t.Errorf("%s of a route that doesn't exist: %v names neither field %s nor the object %s", verb, problem, b.route.Field, b.route.Ref.Name)
		}
		if !problem.Gone {
			t.Errorf("%s of a route that doesn't exist: %v is not Gone, so that it would keep other routes from being steered", verb, problem)
		}
	}
}

func (b bench) apply(t *testing.T, want traffic.Split) {
	t.Helper()
	if err := b.router.Apply(t.Context(), b.route, want); err != nil {
		t.Fatalf("Apply(%v): %v", want, err)
	}
}

func (b bench) release(t *testing.T) {
	t.Helper()
	if err := b.router.Release(t.Context(), b.route); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

// observe also checks that looking doesn't write.
func (b bench) observe(t *testing.T) traffic.Observed {
	t.Helper()
	writes := b.writer.writes
	got, err := b.router.Observe(t.Context(), b.Client, b.route)
	if err != nil {
		t.Fatalf("Observe: %v", err)
	}
	if b.writer.writes != writes {
		t.Error("Observe wrote")
	}
	return got
}

func (b bench) settle(t *testing.T) {
	t.Helper()
	if b.Settle == nil {
		return
	}
	if err := b.Settle(t.Context(), b.Client, b.route); err != nil {
		t.Fatalf("Settle: %v", err)
	}
}

func (b bench) remove(t *testing.T) {
	t.Helper()
	if err := b.Client.Delete(t.Context(), b.Object(b.route)); client.IgnoreNotFound(err) != nil {
		t.Fatalf("delete %s: %v", b.route, err)
	}
}
