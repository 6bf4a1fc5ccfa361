// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
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
// them out by looking.
func Worth(stored, now v1alpha1.RolloutStatus) time.Duration {
	if !sameEssence(&stored, &now) {
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
