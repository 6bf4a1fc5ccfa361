// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"math"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// rateBlocks is how many blocks tell how many requests the canary gets.
	rateBlocks = 3
	// remedies for too little traffic.
	remedies = "give the canary a higher weight before, allow more time, send synthetic load, or loosen maxBurnRate; onInconclusive: Promote goes on with what is known then"
)

// warning says that the traffic seen can't bring the evidence that a question
// asks for within its time, however good the canary is. It is said once known,
// and stays until the question has passed all the same.
func warning(in Input, metrics []v1alpha1.MetricStatus, passed bool) string {
	q := in.Spec.Question
	if passed || q.MaxDuration.Duration <= 0 {
		return ""
	}
	if before := in.Status.Answer; before != nil && before.Step == q.Step && before.Warning != "" {
		return before.Warning
	}
	for i, j := range List(in.Spec) {
		if text := tooLittle(in, j, metrics[i]); text != "" && !metrics[i].DryRun {
			return text
		}
	}
	return ""
}

// tooLittle compares what one metric needs, were all requests good, with what
// comes. Requests that were bad are no lack of traffic.
func tooLittle(in Input, j Judged, st v1alpha1.MetricStatus) string {
	ev, q := st.Evidence, in.Spec.Question
	if !j.Counted() || j.Kind == Scalar || ev == nil || len(ev.Blocks) < rateBlocks {
		return ""
	}
	t, err := begin(j, rulesOf(in.Spec.Judgement), ev, nextWeight(q))
	if err != nil {
		return ""
	}
	needed, rate := t.remaining(true), rateOf(ev)
	comes := rate * q.MaxDuration.Seconds()
	if math.IsInf(needed, 1) || comes >= needed {
		return ""
	}
	return fmt.Sprintf("%s: passing takes about %s requests, and at about %s a second the canary gets %s within maxDuration %s; %s",
		j.Name, rounded(math.Ceil(needed)), exact(digits(rate, 1)), rounded(digits(comes, 2)), span(q.MaxDuration.Duration), remedies)
}

// rateOf is how many requests a second the canary got in the latest blocks.
func rateOf(ev *v1alpha1.MetricEvidence) float64 {
	var sum float64
	for _, b := range ev.Blocks {
		c, _ := counts(b.Canary)
		sum += c.Total
	}
	return sum / (float64(len(ev.Blocks)) * ev.Block.Seconds())
}
