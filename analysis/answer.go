// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Answer is what a source says to one question: a finite number, or the reason
// why there is none, or nothing at all. The zero Answer is nothing.
type Answer struct {
	// Value is the number, if Known.
	Value float64
	// Known is true when there is a number.
	Known bool
	// Message says why the answer can't be used and what to do about it. It is
	// empty beside a number, and when the source has just nothing to say.
	Message string
	// Partial says that there is no number because the source may have left
	// something out. Asking again may help.
	Partial bool
}

// Number is the answer that gives f, unless f is not finite.
func Number(f float64) Answer {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Answer{Message: fmt.Sprintf("the query gives %s, as a division by zero does; write it so that it gives a number without traffic too, or nothing",
			strconv.FormatFloat(f, 'g', -1, 64))}
	}
	return Answer{Value: f, Known: true}
}

// Useless is the answer that has no number for the reason given.
func Useless(format string, args ...any) Answer {
	return Answer{Message: fmt.Sprintf(format, args...)}
}

// Err is the message as an error, or nil.
func (a Answer) Err() error {
	if a.Message == "" {
		return nil
	}
	return errors.New(a.Message)
}

// Measurement is the answer as of a time. Where a source has just nothing to
// say, nothing is what that means and what to do about it.
func (a Answer) Measurement(at time.Time, nothing string) v1alpha1.Measurement {
	m := v1alpha1.Measurement{At: metav1.NewTime(at), Value: a.String(), Message: a.Message}
	if !a.Known && a.Message == "" {
		m.Message = nothing
	}
	return m
}

// String writes the number as measurements hold it, and "" when there is none.
func (a Answer) String() string {
	if !a.Known {
		return ""
	}
	return strconv.FormatFloat(a.Value, 'g', -1, 64)
}

// maxCount is the greatest whole number up to which all are exact.
const maxCount = 1 << 53

// Count returns the number of events that a known answer gives. Events come
// whole and are never fewer than none; anything else is an error that says what
// was given, and is never rounded into a count.
func (a Answer) Count() (int64, error) {
	switch {
	case !a.Known:
		return 0, errors.New("there is no number to count with")
	case a.Value < 0:
		return 0, fmt.Errorf("the query gives %s events; select a counter, which never falls", a)
	case a.Value > maxCount || a.Value != math.Trunc(a.Value):
		return 0, fmt.Errorf("the query gives %s events, which is no whole number; select a counter of events", a)
	}
	return int64(a.Value), nil
}
