// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// reads has revisions refer to a copy of configuration each, named after them.
func reads(s *Snapshot) {
	for i := range s.Revisions {
		s.Revisions[i].Config = []ConfigRef{{KindConfigMap, "shop-settings-" + s.Revisions[i].Hash}}
	}
}

// copyGone has somebody delete a revision's copy; lost says why it can't be made again.
func copyGone(hash, lost string) edit {
	return func(s *Snapshot) {
		reads(s)
		s.Missing = append(s.Missing, MissingCopy{ConfigRef{KindConfigMap, "shop-settings-" + hash}, ConfigRef{KindConfigMap, "settings"}, lost})
	}
}

// TestConfigInUse: what pods may have to read is looked after, and nothing else.
func TestConfigInUse(t *testing.T) {
	past := revision("v0", 0, 0)
	leaving := revision("v3", 3, 0)
	leaving.Current = 1
	s := scene(canaryOf(0, 0, 0), func(s *Snapshot) { s.Revisions = append(s.Revisions, past, leaving, revision("v4", 4, 2)) }, reads)
	var want []ConfigRef
	for _, hash := range []string{"v1", "v2", "v3", "v4"} { // stable, in flight, with a pod on its way out, kept for a way back
		want = append(want, ConfigRef{KindConfigMap, "shop-settings-" + hash})
	}
	if diff := cmp.Diff(want, ConfigInUse(s)); diff != "" {
		t.Errorf("in use (-want +got):\n%s", diff)
	}
	s.Target = "v0"
	if got := ConfigInUse(s); len(got) != 5 {
		t.Errorf("with the past wanted again %v, want all five", got)
	}
}

// TestMissingCopiesAreMadeAgain: nothing that holds a release or takes one back is a
// reason against it, and it holds nothing itself.
func TestMissingCopiesAreMadeAgain(t *testing.T) {
	deleted := func(s *Snapshot) {
		now := metav1.NewTime(noon)
		s.Rollout.DeletionTimestamp = &now
		s.Workload = &Workload{Name: "shop", UID: "1", Current: 0, Before: ptr.To(int32(4))}
	}
	for name, tc := range map[string]struct {
		reason string
		scene  Snapshot
		phase  v1alpha1.RolloutPhase
		// also are other actions that go on beside it.
		also bool
	}{
		"AtRest":   {"a pod may start at any time", scene(settledNow, copyGone("v1", "")), v1alpha1.PhaseHealthy, false},
		"Forward":  {"a release goes on", scene(canaryOf(0, 1, 0), settledNow, copyGone("v1", "")), v1alpha1.PhaseProgressing, true},
		"Problem":  {"what is wrong has nothing to do with it", scene(canaryOf(1, 1, 25), settledNow, problem, copyGone("v2", "")), v1alpha1.PhaseHolding, false},
		"Aborted":  {"stable's pods are needed most of all", scene(canaryOf(1, 1, 25), settledNow, latched(v1alpha1.ReasonAnalysisFailed), copyGone("v1", "")), v1alpha1.PhaseAborting, true},
		"Deletion": {"our pods serve until the Deployment has taken over", scene(settledNow, deleted, copyGone("v1", "")), v1alpha1.PhaseProgressing, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(tc.scene)
			copied := func(a Action) bool { _, is := a.(CopyConfig); return is }
			at := slices.IndexFunc(p.Actions, copied)
			if at < 0 || p.Status.Phase != tc.phase || len(p.Actions) > 1 != tc.also {
				t.Fatalf("%s: %s: %s; %v", tc.reason, p.Status.Phase, p.Status.Message, inOrder(p))
			}
			if rest := Without(p.Actions[at+1:], p.Actions[at]); len(rest) != len(p.Actions)-at-1 {
				t.Errorf("when it fails only %v goes on of %v", rest, inOrder(p))
			}
			if meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionConfigurationKept) != nil {
				t.Errorf("it is called lost: %+v", p.Status.Conditions)
			}
		})
	}
}

// TestLostCopyHoldsNothing: what can't be made again is told wherever a release is,
// and moves nothing.
func TestLostCopyHoldsNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
	}{
		"AtRest":  {"pods that run still serve", []edit{settledNow}},
		"Begins":  {"another revision is a way out", []edit{settledNow, wants("v2")}},
		"Forward": {"so is its next step", []edit{canaryOf(0, 1, 0), settledNow}},
		"Abort":   {"and the way back", []edit{canaryOf(1, 1, 25), settledNow, says(v1alpha1.VerbAbort)}},
	} {
		t.Run(name, func(t *testing.T) {
			before := Decide(scene(append(tc.edits, reads)...))
			after := Decide(scene(append(tc.edits, copyGone("v1", "ConfigMap settings has other content now"))...))
			if diff := cmp.Diff(inOrder(before), inOrder(after)); diff != "" || before.Status.Phase != after.Status.Phase {
				t.Errorf("%s: %s, before %s: %s", tc.reason, after.Status.Phase, before.Status.Phase, diff)
			}
			c := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionConfigurationKept)
			if c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(after.Status.Message, "shop-settings-v1 of revision v1 was deleted") {
				t.Errorf("%s: condition %+v, message %q", tc.reason, c, after.Status.Message)
			}
		})
	}
}
