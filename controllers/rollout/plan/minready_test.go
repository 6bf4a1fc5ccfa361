// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// ripeAfter has the Rollout say how long pods have to be ready.
func ripeAfter(n int32) edit { return func(s *Snapshot) { s.Rollout.Spec.MinReadySeconds = n } }

// takesOver has the Rollout refer to a Deployment whose pods have to be ready for so long.
func takesOver(n int32) edit {
	return func(s *Snapshot) {
		s.Rollout.Spec.WorkloadRef = &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"}
		s.Workload = &Workload{Name: "shop", MinReadySeconds: n}
	}
}

// unreadable has the Deployment be gone.
func unreadable(s *Snapshot) { s.Workload = nil }

// ripe has the revisions so far count pods as available after so long.
func ripe(n int32) edit {
	return func(s *Snapshot) {
		for i := range s.Revisions {
			s.Revisions[i].MinReadySeconds = n
		}
	}
}

// unripeAll has no pod be ready for long enough, as after an edit.
func unripeAll(s *Snapshot) {
	for i := range s.Revisions {
		s.Revisions[i].Available = 0
	}
}

// TestMinReadySeconds: whose counts, and which revisions follow a change of it.
func TestMinReadySeconds(t *testing.T) {
	const v1, v2 = "count pods of shop-v1 as available after ", "count pods of shop-v2 as available after "
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		want   []string
	}{
		"Settled":      {"nothing is written twice", []edit{ripeAfter(30), ripe(30)}, nil},
		"Raised":       {"stable follows an edit at rest", []edit{ripeAfter(30)}, []string{v1 + "30s"}},
		"Lowered":      {"downwards, too", []edit{ripe(30)}, []string{v1 + "0s"}},
		"Paused":       {"a pause stops replicas, traffic and steps, and this is none", []edit{ripeAfter(30), func(s *Snapshot) { s.Rollout.Spec.Paused = true }}, []string{v1 + "30s"}},
		"InFlight":     {"both revisions of a release do", []edit{canaryOf(1, 1, 25), settledNow, ripeAfter(30)}, []string{v1 + "30s", v2 + "30s"}},
		"Aborted":      {"an aborted one may be released again", []edit{canaryOf(1, 1, 0), settledNow, latched("Bad"), ripeAfter(30)}, []string{v1 + "30s", v2 + "30s"}},
		"Superseded":   {"one that only waits to leave does not", []edit{old("v0", 4), ripeAfter(30), func(s *Snapshot) { s.CanaryService = service("canary", "v0", 4) }}, []string{v1 + "30s"}},
		"Deployment":   {"the Deployment's counts where the Rollout says nothing", []edit{takesOver(30)}, []string{v1 + "30s"}},
		"OverDeployed": {"what the Rollout says counts before it", []edit{takesOver(30), ripeAfter(5)}, []string{v1 + "5s"}},
		"Unreadable":   {"while the Deployment can't be read nobody knows", []edit{takesOver(30), unreadable, ripe(30)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, a := range Decide(scene(tc.edits...)).Actions {
				if set, is := a.(SetMinReady); is {
					got = append(got, set.String())
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestNewRevisionsRipenAsWanted: a ReplicaSet is made with what is wanted.
func TestNewRevisionsRipenAsWanted(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		want   int32
	}{
		"Own":        {"the Rollout says so", []edit{ripeAfter(5)}, 5},
		"Deployment": {"the Deployment that was taken over does, and nothing of it is lost", []edit{takesOver(30)}, 30},
		"Both":       {"the Rollout counts first", []edit{takesOver(30), ripeAfter(5)}, 5},
		"Neither":    {"nobody does", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			made := 0
			for _, a := range Decide(scene(append(tc.edits, settledNow, wants("v2"))...)).Actions {
				if create, is := a.(CreateRevision); is {
					made++
					if create.MinReadySeconds != tc.want {
						t.Errorf("%s: made with %d, want %d", tc.reason, create.MinReadySeconds, tc.want)
					}
				}
			}
			if made != 1 {
				t.Errorf("%d revisions are made, want 1", made)
			}
		})
	}
}

// TestMoreMinReadySecondsTakeNothingAway: pods that an edit makes unavailable are
// ready all the same. They keep their number and their traffic, and are waited for:
// whatever is done then would have been done before the edit, too.
func TestMoreMinReadySecondsTakeNothingAway(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
	}{
		"Resting":     {"stable alone", nil},
		"InFlight":    {"a canary with a share", []edit{canaryOf(0, 1, 25)}},
		"Dynamic":     {"a stable revision at its share", []edit{canaryOf(1, 2, 50), inSteps(weightStep(50), pauseStep()), dynamicStable, func(s *Snapshot) { s.Revisions[0], s.StableService = revision("v1", 1, 2), service("stable", "v1", 2) }}},
		"Promoting":   {"a canary with everything", []edit{canaryOf(3, 4, 100)}},
		"Returning":   {"an abort that is over", []edit{canaryOf(1, 1, 0), latched("Bad"), func(s *Snapshot) { s.Rollout.Spec.Strategy.Canary.AbortScaleDownDelaySeconds = nil }}},
		"ByPods":      {"pods are the split", []edit{canaryOf(0, 1, 0), func(s *Snapshot) { s.Revisions[0] = revision("v1", 1, 3) }, byPods("1"), func(s *Snapshot) { s.CallerService.Ready = map[string]int32{"v1": 3, "v2": 1} }}},
		"ByPodsAtOne": {"the same with everything on its way over", []edit{canaryOf(3, 4, 0), func(s *Snapshot) { s.Revisions[0] = revision("v1", 1, 1) }, byPods("1"), func(s *Snapshot) { s.CallerService.Ready = map[string]int32{"v1": 1, "v2": 4} }}},
	} {
		t.Run(name, func(t *testing.T) {
			edits := append(slices.Clone(tc.edits), ripeAfter(30), settledNow, ripe(30), func(s *Snapshot) { s.Rollout.Status.Bindings = new(WantedBindings(s.Rollout)) })
			before := inOrder(Decide(scene(edits...)))
			for _, a := range inOrder(Decide(scene(append(slices.Clone(edits), unripeAll)...))) {
				if !slices.Contains(before, a) {
					t.Errorf("%s: %s, and before the edit: %q", tc.reason, a, before)
				}
			}
		})
	}
}

// TestDeadlineBeforeAnyPodIsAvailable: every release would be aborted by it.
func TestDeadlineBeforeAnyPodIsAvailable(t *testing.T) {
	degrades := func(s *Snapshot) { s.Rollout.Spec.OnDeadline = v1alpha1.OnDeadlineDegrade }
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		want   string
	}{
		"Shorter":    {"pods have a second for getting ready", []edit{ripeAfter(599)}, ""},
		"Own":        {"they have none", []edit{ripeAfter(600)}, "is 600, and minReadySeconds is 600: no pod can be available before every release is aborted; raise"},
		"Deployment": {"a Deployment brings its own", []edit{takesOver(900)}, "is 600, and minReadySeconds of Deployment shop is 900: no pod"},
		"Degrades":   {"where nothing is aborted a release only takes long", []edit{ripeAfter(900), degrades}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := unripe(assess(scene(tc.edits...)))
			switch {
			case tc.want == "" && len(found) > 0:
				t.Errorf("%s: %v", tc.reason, found)
			case tc.want != "" && (len(found) != 1 || found[0].Field != "spec.progressDeadlineSeconds" || !strings.HasPrefix(found[0].Message, tc.want)):
				t.Errorf("%s: %v, want %q", tc.reason, found, tc.want)
			}
		})
	}
}
