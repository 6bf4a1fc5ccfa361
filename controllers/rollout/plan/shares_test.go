// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestSharesAreWhatCallersGet: a Service that gets nothing may stand for another
// revision without that the data plane has to settle once more. An abort that is
// complete is not under way again because the canary's Service goes home after it.
func TestSharesAreWhatCallersGet(t *testing.T) {
	share := func(revision string, weight int32) v1alpha1.RevisionWeight {
		return v1alpha1.RevisionWeight{Service: "shop-" + revision[:1], Revision: revision, Weight: weight}
	}
	before := []v1alpha1.RevisionWeight{share("s1", 100), share("c2", 0)}
	cases := map[string]struct {
		reason string
		now    []v1alpha1.RevisionWeight
		marked bool
		same   bool
	}{
		"Unchanged":   {reason: "nothing was written", now: before, same: true},
		"IdleMoved":   {reason: "nobody is sent to the canary's Service", now: []v1alpha1.RevisionWeight{share("s1", 100), share("c1", 0)}, same: true},
		"MarkedMoved": {reason: "the route itself says which pods a slot stands for, which has to arrive", now: []v1alpha1.RevisionWeight{share("s1", 100), share("c1", 0)}, marked: true},
		"ServingMove": {reason: "everybody is with another revision now", now: []v1alpha1.RevisionWeight{share("s2", 100), share("c2", 0)}},
		"Shifted":     {reason: "a tenth of all callers has moved", now: []v1alpha1.RevisionWeight{share("s1", 90), share("c2", 10)}},
		"Fewer":       {reason: "the routes know one Service less", now: before[:1]},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := facts{&said{}}
			f.Traffic.Marked = tc.marked
			if same := sameShares(f, before, tc.now); same != tc.same {
				t.Errorf("%s: same is %t", tc.reason, same)
			}
		})
	}
}
