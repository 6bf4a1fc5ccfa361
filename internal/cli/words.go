// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// clockLayout is how times of day are printed.
const clockLayout = "15:04:05"

// age is the time from then to now in a few letters, such as 3m.
func age(now, then metav1.Time) string {
	if then.IsZero() {
		return "-"
	}
	return duration.HumanDuration(max(now.Sub(then.Time), 0))
}

// ahead says when a time will come, such as "in 3m".
func ahead(now, then metav1.Time) string {
	left := then.Sub(now.Time)
	if left <= 0 {
		return "now"
	}
	return "in " + duration.HumanDuration(left)
}

// weights says what a revision gets, in percent. An unconfirmed weight is called so.
func weights(requested, confirmed *int32) string {
	switch {
	case requested == nil:
		return "weight unknown"
	case confirmed == nil:
		return fmt.Sprintf("weight %d %% requested, not confirmed", *requested)
	case *confirmed != *requested:
		return fmt.Sprintf("weight %d %% requested, %d %% confirmed", *requested, *confirmed)
	}
	return fmt.Sprintf("weight %d %%", *requested)
}

// significant is how many digits of a measured value people read.
const significant = 4

// measured shortens a value to the digits that people read.
func measured(value string) string {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return value
	}
	return strconv.FormatFloat(f, 'g', significant, 64)
}

// count writes a number with its noun in the right form.
func count(n int32, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// after puts a separator before a text, unless there is none.
func after(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}

func phaseWord(p v1alpha1.RolloutPhase) string {
	if p == "" {
		return "Unknown"
	}
	return string(p)
}

// oneLine makes a text fit on one line of a table or tree.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
