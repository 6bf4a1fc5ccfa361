// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stamp rounds up to the second, the precision that the API keeps: a wait
// counted from a stored time is never shorter than it says.
func stamp(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		return whole.Add(time.Second)
	}
	return t
}

// soFar is since when something has been so: as long as a status says, which another
// clock may have written, but not from a time that is yet to come.
func soFar(since, now time.Time) time.Time {
	if at := stamp(now); since.After(at) {
		return at
	}
	return since
}

func stamped(t time.Time) metav1.Time { return metav1.NewTime(stamp(t)) }

// timed gives a stored form of a time; nil for none.
func timed(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	at := metav1.NewTime(t)
	return &at
}
