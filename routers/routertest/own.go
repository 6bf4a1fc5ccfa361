// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// ownWeightsComeBack: what the user wrote is there again, byte for byte,
// whenever it says what is wanted, and after a release whatever it says.
func ownWeightsComeBack(t *testing.T, b bench) {
	b.route.Own = own(t, b)
	wrote := b.object(t).Object["spec"]
	b.apply(t, traffic.CanaryAt(25))
	b.apply(t, traffic.CanaryAt(0))
	if diff := cmp.Diff(wrote, b.object(t).Object["spec"]); diff != "" {
		t.Errorf("back at rest the route is not as the user wrote it (-user's, +got):\n%s", diff)
	}
	writes := b.writer.writes
	b.apply(t, traffic.CanaryAt(0))
	if b.writer.writes != writes {
		t.Error("a second Apply of what the user wrote was written")
	}

	const drifted = 37 // what a user may have written who did not think of Sluice
	if err := b.Drift(t.Context(), b.Client, b.route, drifted); err != nil {
		t.Fatalf("Drift: %v", err)
	}
	b.route.Own = own(t, b)
	wrote = b.object(t).Object["spec"]
	b.apply(t, traffic.CanaryAt(0))
	b.carries(t, traffic.CanaryAt(0))
	b.release(t)
	if diff := cmp.Diff(wrote, b.object(t).Object["spec"]); diff != "" {
		t.Errorf("after Release the route is not as the user wrote it (-user's, +got):\n%s", diff)
	}
	writes = b.writer.writes
	b.release(t)
	if b.writer.writes != writes {
		t.Error("a second Release wrote")
	}
}

// own takes what the route says now for what the user wrote.
func own(t *testing.T, b bench) map[string]traffic.Form {
	t.Helper()
	lists := b.observe(t).Lists
	if len(lists) == 0 {
		t.Fatal("Observe finds no list of destinations")
	}
	return lists
}
