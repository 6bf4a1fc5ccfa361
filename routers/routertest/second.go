// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// errInterrupted is what a write meets that a dying controller didn't make.
var errInterrupted = errors.New("interrupted")

// secondFollows: where the second object tells which revision a slot stands for,
// it is noticed that it tells another one, and mended without touching a share.
func secondFollows(t *testing.T, b bench) {
	want := traffic.CanaryAt(0)
	b.apply(t, want)
	if got := b.observe(t); got.Unbound || !b.carried(got, want) {
		t.Fatalf("Observe after Apply(%v) = %+v, want both slots bound", want, got)
	}
	version := b.version(t)
	b.route.CanaryRevision = "8e0f"
	if got := b.observe(t); !got.Unbound || got.Silent || len(got.Confirmed) > 0 || got.Message == "" {
		t.Errorf("Observe after the canary slot moved on = %+v, want it unbound, unconfirmed and said so", got)
	}
	b.apply(t, want)
	if got := b.observe(t); got.Unbound || !b.carried(got, want) {
		t.Errorf("Observe after Apply(%v) = %+v, want both slots bound", want, got)
	}
	if b.version(t) != version {
		t.Error("the route object was written although its shares had not changed")
	}
}

// definedAfterEachWrite walks a whole release, another one and the end of it, and
// does so with a controller that dies before any of its writes and starts again.
func definedAfterEachWrite(t *testing.T, b bench) {
	walk := []func(*bench){}
	shift := func(share int32) func(*bench) {
		return func(b *bench) {
			b.attempt(t, func() error { return b.router.Apply(t.Context(), b.route, traffic.CanaryAt(share)) })
		}
	}
	slots := func(stable, canary string) func(*bench) {
		return func(b *bench) { b.route.StableRevision, b.route.CanaryRevision = stable, canary }
	}
	start := shift(0)
	for _, release := range []struct{ stable, canary string }{{"5c9f", "7d9f"}, {"7d9f", "8e0f"}} {
		walk = append(walk,
			slots(release.stable, release.stable), start, slots(release.stable, release.canary), shift(5), shift(50), shift(100),
			slots(release.canary, release.canary), shift(0))
	}
	walk = append(walk, func(b *bench) { b.attempt(t, func() error { return b.router.Release(t.Context(), b.route) }) }, shift(25), shift(0))
	writes := 0
	b.writer.written = func() {
		writes++
		if err := b.Defined(t.Context(), b.Client, b.route); err != nil {
			t.Errorf("after write %d: %v", writes, err)
		}
	}
	dies := false
	b.writer.refuse = func() error {
		if dies = !dies; dies {
			return errInterrupted
		}
		return nil
	}
	for _, step := range walk {
		step(&b)
	}
	if writes < len(walk)/2 {
		t.Errorf("only %d writes were looked at", writes)
	}
}

// attempt repeats what an interruption cut short.
func (b bench) attempt(t *testing.T, do func() error) {
	t.Helper()
	const most = 10
	for range most {
		err := do()
		if err == nil {
			return
		}
		if !errors.Is(err, errInterrupted) {
			t.Fatal(err)
		}
	}
	t.Fatalf("not done after %d interruptions", most)
}

func secondMissing(t *testing.T, b bench) {
	b.apply(t, traffic.CanaryAt(25))
	version, second := b.version(t), b.Second(b.route)
	if err := b.Client.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	_, observing := b.router.Observe(t.Context(), b.Client, b.route)
	applying := b.router.Apply(t.Context(), b.route, traffic.CanaryAt(50))
	for verb, err := range map[string]error{"Observe": observing, "Apply": applying} {
		var problem *routers.Problem
		if !errors.As(err, &problem) || !strings.HasPrefix(problem.Field, b.route.Field) || !strings.Contains(problem.Message, second.GetKind()) {
			t.Errorf("%s without %s %s: error %v, want a *routers.Problem that names it", verb, second.GetKind(), second.GetName(), err)
		}
		if problem != nil && problem.Gone {
			t.Errorf("%s without %s %s: the route is said to be gone, and it still sends", verb, second.GetKind(), second.GetName())
		}
	}
	if b.version(t) != version {
		t.Error("the route object was changed although the second object is missing")
	}
	b.release(t)
}
