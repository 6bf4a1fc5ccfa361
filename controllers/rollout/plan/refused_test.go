// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestWordsSayWhatFails: what a release waits for does not come while a write for it
// is refused, so whoever reads the words reads that, too, for as long as it is so.
func TestWordsSayWhatFails(t *testing.T) {
	const failure = "shift traffic to stable 100 %, canary 0 %: HTTPRoute shop: routes are frozen"
	s := scene(canaryOf(1, 1, 25), settledNow, says(v1alpha1.VerbAbort))
	before := Decide(s).Status
	refused := Refused(before, 7, failure, noon)
	if refused.Message != before.Message+"; not carried out: "+failure || refused.Summary != "not carried out: shift traffic to stable 100 %, canary 0 %: HTTPRoute …" {
		t.Errorf("says %q, in short %q", refused.Message, refused.Summary)
	}
	if c := meta.FindStatusCondition(refused.Conditions, v1alpha1.ConditionApplied); c == nil || c.Message != failure || c.ObservedGeneration != 7 {
		t.Errorf("condition Applied is %+v", c)
	}

	s.Rollout = s.Rollout.DeepCopy()
	s.Rollout.Status = refused
	again := Decide(s).Status
	if again.Message != refused.Message || again.Summary != refused.Summary {
		t.Errorf("the next look says %q", again.Message)
	}
	repeated := Refused(again, 7, failure, noon.Add(time.Minute))
	if diff := cmp.Diff(again, repeated); diff != "" {
		t.Errorf("the same failure once more is told anew (-before +after):\n%s", diff)
	}
	other := Refused(again, 7, "another", noon)
	if other.Message != before.Message+"; not carried out: another" {
		t.Errorf("another failure: %q", other.Message)
	}
	if diff := cmp.Diff(before, Granted(other)); diff != "" {
		t.Errorf("once it is carried out (-want +got):\n%s", diff)
	}
}

// TestWordsOfADeletionSayWhatFails: nobody takes turns in writing them with and without it.
func TestWordsOfADeletionSayWhatFails(t *testing.T) {
	s := scene(canaryOf(1, 1, 25), settledNow, func(s *Snapshot) {
		at := metav1.NewTime(noon.Add(-time.Minute))
		s.Rollout.DeletionTimestamp = &at
	})
	s.Rollout.Status = Refused(Decide(s).Status, 7, "release the routes: routes are frozen", noon)
	if again := Decide(s).Status; !Same(&s.Rollout.Status, &again) {
		t.Errorf("the next look says %q after %q", again.Message, s.Rollout.Status.Message)
	}
}

// TestARestartSaysWhatItWaitsFor: a release, an abort that nothing has followed, or a pause.
func TestARestartSaysWhatItWaitsFor(t *testing.T) {
	asked := func(s *Snapshot) {
		at := metav1.NewTime(noon.Add(-time.Minute))
		s.Rollout.Status.RestartAt = &at
	}
	held := func(s *Snapshot) { s.Rollout.Spec.Paused = true }
	const waits = "; the restart asked for waits until nothing is in flight"
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		want   string
	}{
		"InFlight":  {"a release comes first", []edit{canaryOf(1, 1, 25), settledNow, asked}, waits},
		"Aborted":   {"so does one that was aborted, whose pods may be wanted again", []edit{canaryOf(1, 1, 0), settledNow, latched("Bad"), asked}, waits},
		"Paused":    {"a pause holds it", []edit{settledNow, asked, held}, "replacing pods waits, 0 created before the restart asked for are left: held by spec.paused; set it to false to go on"},
		"Under way": {"at rest it speaks for itself", []edit{settledNow, asked}, "replacing pods one by one"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(scene(tc.edits...))
			if !strings.Contains(p.Status.Message, tc.want) {
				t.Errorf("%s: says %q, want %q", tc.reason, p.Status.Message, tc.want)
			}
			for _, a := range p.Actions {
				if _, grows := a.(ScaleRevision); grows && name != "Under way" {
					t.Errorf("%s: and yet: %s", tc.reason, a)
				}
			}
		})
	}
}

// TestACommandThatCantBeReadSaysWhy: each with what is wrong with it, not with what comes of that.
func TestACommandThatCantBeReadSaysWhy(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"NoID":     {`{"verb": "promote", "by": "jane"}`, `lacks "id"`},
		"NoJSON":   {`promote`, "can't be read: invalid character 'p'"},
		"HugeStep": {`{"id": "1", "verb": "promote", "step": 4294967296}`, "can't be read: json: cannot unmarshal number 4294967296"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(scene(canaryOf(1, 1, 25), settledNow, commanded(tc.text))).Status
			if c := got.LastCommand; c == nil || c.Result != v1alpha1.CommandRefused || !strings.Contains(c.Message, tc.want) || !strings.Contains(c.Message, sampleCommand) {
				t.Errorf("answered by %+v, want %q", c, tc.want)
			}
		})
	}
}
