// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const (
	// wordsUnderWay is how long words wait to be written while a release moves by itself,
	// because the next step is written anyway and takes them along. It is long enough for
	// most words of the last step, which takes three settle times and the start of the pods.
	wordsUnderWay = 15 * time.Second
	// wordsAtRest is how long they wait otherwise, so that what changes together is written together.
	wordsAtRest = 2 * time.Second
	// wordsOfProgress is how long they wait when all they say is how far an analysis has
	// come, which changes with every block, or that the requests it counted agree with
	// the routes. Its AnalysisRun says that at once, and any other write takes it along.
	wordsOfProgress = time.Minute
)

// Worth is how long a newer status may stay unwritten, by how it differs from the one
// that is stored. Where the release is, what holds it and who did what is written at
// once. Words, numbers and times may wait, since a controller that starts anew finds
// them out by looking. What it could not find out any more, in particular after the
// actions that follow, is written at once, too.
func Worth(stored, now v1alpha1.RolloutStatus, actions ...Action) time.Duration {
	if !sameEssence(&stored, &now) || conceals(stored.Traffic, now.Traffic, actions) {
		return 0
	}
	if known := unobserved(stored, now); sameRest(&stored, &known) && sameButProgress(&stored, &known) {
		return wordsOfProgress
	}
	if now.Phase == v1alpha1.PhaseProgressing && now.CanaryRevision != "" && now.StableRevision != "" {
		return wordsUnderWay
	}
	return wordsAtRest
}

// conceals reports whether the routes have carried something else since the status was
// stored, and nobody could tell by looking: they say again what they said then, or will
// after the actions. A controller that starts anew would take them for settled, while
// proxies may still serve what they carried in between.
func conceals(stored, now *v1alpha1.TrafficStatus, actions []Action) bool {
	if stored == nil || now == nil || stored.Since == nil || now.Since == nil {
		return false
	}
	if alike(stored.Requested, now.Requested) && stored.Beside == now.Beside && stored.Differ == now.Differ {
		return !sameTime(stored.Since, now.Since)
	}
	return slices.ContainsFunc(actions, func(a Action) bool {
		split, is := shares(a)
		return is && alike(stored.Requested, given(stored.Requested, now.Requested, split))
	})
}

// shares is the split that an action writes to routes; false for one that writes
// none. Routes that are released are given up: nothing goes on from what they carry.
func shares(a Action) (traffic.Split, bool) {
	switch a := a.(type) {
	case ShiftTraffic:
		return a.Split, true
	case WriteRoute:
		return a.Split, true
	}
	return traffic.Split{}, false
}

// alike reports whether two lists give the same shares to the same revisions.
func alike(a, b []v1alpha1.RevisionWeight) bool {
	return slices.EqualFunc(a, b, func(x, y v1alpha1.RevisionWeight) bool {
		return x.Weight == y.Weight && (x.Weight == 0 || x.Revision == y.Revision)
	})
}

// given is which revision gets which share once a split is written. A slot of which
// nothing is known now is taken to stand for the same revision as before.
func given(before, now []v1alpha1.RevisionWeight, split traffic.Split) []v1alpha1.RevisionWeight {
	var all []v1alpha1.RevisionWeight
	for i, slot := range slots {
		if slot == traffic.Baseline && split.Baseline == 0 {
			continue
		}
		w := v1alpha1.RevisionWeight{Weight: split.Of(slot)}
		switch {
		case i < len(now):
			w.Revision = now[i].Revision
		case i < len(before):
			w.Revision = before[i].Revision
		}
		all = append(all, w)
	}
	return all
}

// unobserved is the newer status with the stored one's evidence for the split, if both
// confirm the same split. What is left of the difference is not about that evidence.
func unobserved(stored, now v1alpha1.RolloutStatus) v1alpha1.RolloutStatus {
	a, b := stored.Traffic, now.Traffic
	if a == nil || b == nil || len(b.Confirmed) == 0 || !slices.Equal(a.Confirmed, b.Confirmed) {
		return now
	}
	t := *b
	t.ConfirmedBy, t.Observed = a.ConfirmedBy, a.Observed
	now.Traffic = &t
	return now
}

// sameButProgress reports whether words differ only in how far an analysis is.
func sameButProgress(a, b *v1alpha1.RolloutStatus) bool {
	return goesOn(a.Message, b.Message) && slices.EqualFunc(a.Conditions, b.Conditions, func(x, y metav1.Condition) bool {
		same := goesOn(x.Message, y.Message)
		x.Message, y.Message = "", ""
		return same && sameCondition(x, y)
	})
}

func goesOn(a, b string) bool { return a == b || untold(a) == untold(b) }

// untold cuts off how far an analysis is.
func untold(message string) string {
	for _, end := range [...]string{awaited + ":", beforeNext + ":"} {
		if i := strings.Index(message, end); i >= 0 {
			return message[:i+len(end)-1]
		}
	}
	return message
}
