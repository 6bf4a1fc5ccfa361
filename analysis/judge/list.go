// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Kind says how a metric is measured and judged.
type Kind int

const (
	// Threshold metrics compare one value with fixed bounds.
	Threshold Kind = iota
	// Scalar metrics compare one value of the canary with one of stable.
	Scalar
	// Proportion metrics count events of which some are bad.
	Proportion
	// Latency metrics count requests that are slower than their objective.
	Latency
	// Comparison metrics count requests beyond stable's own quantiles.
	Comparison
	// Job metrics run to an end.
	Job
)

// ComparisonName is the name of the metric that spec.compareLatency adds.
const ComparisonName = "latency-comparison"

// Judged is one metric of a run: an objective of the preset, or one that the
// spec lists.
type Judged struct {
	// Name of the metric.
	Name string
	// Kind of it.
	Kind Kind
	// Good is the share of requests that must be good; 0 without an objective.
	Good float64
	// Within is the longest duration of a good request, of Latency.
	Within time.Duration
	// Metric as the spec lists it; empty for an objective of the preset.
	Metric v1alpha1.Metric
}

// List gives the metrics of a run in the order in which its status has them:
// the objectives, then those of the spec.
func List(spec v1alpha1.AnalysisRunSpec) []Judged {
	var all []Judged
	if o := spec.Objectives; o != nil {
		if o.Availability != "" {
			all = append(all, Judged{Name: "availability", Kind: Proportion, Good: share(string(o.Availability))})
		}
		all = append(all, latencies(o.Latency)...)
	}
	if spec.CompareLatency {
		all = append(all, Judged{Name: ComparisonName, Kind: Comparison})
	}
	for _, m := range spec.Metrics {
		j := Judged{Name: m.Name, Kind: Threshold, Metric: m}
		switch {
		case m.Proportion != nil:
			j.Kind, j.Good = Proportion, share(string(m.Objective))
		case m.Scalar != nil:
			j.Kind = Scalar
		case m.Job != nil:
			j.Kind = Job
		}
		all = append(all, j)
	}
	return all
}

func latencies(l *v1alpha1.LatencyObjectives) []Judged {
	if l == nil {
		return nil
	}
	var all []Judged
	for _, q := range []struct {
		name   string
		good   float64
		within *v1alpha1.Duration
	}{
		{"p50", 0.5, l.P50}, {"p75", 0.75, l.P75}, {"p90", 0.9, l.P90}, {"p95", 0.95, l.P95}, {"p99", 0.99, l.P99}, {"p99.9", 0.999, l.P999},
	} {
		if q.within != nil {
			all = append(all, Judged{Name: "latency-" + q.name, Kind: Latency, Good: q.good, Within: q.within.Duration})
		}
	}
	return all
}

// Counted reports whether a metric collects evidence from blocks.
func (j Judged) Counted() bool { return j.Kind != Threshold && j.Kind != Job }

// budget is what the objective leaves for bad requests; 0 without one.
func (j Judged) budget() float64 {
	if j.Good <= 0 {
		return 0
	}
	return 1 - j.Good
}

// share reads a percentage; 0 when there is none.
func share(percentage string) float64 {
	v, ok := number(strings.TrimSuffix(percentage, "%"))
	if !ok {
		return 0
	}
	// Divided as decimals: 99.9 / 100 is one bit off 0.999.
	if exact, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', -1, 64)+"e-2", 64); err == nil {
		return exact
	}
	return v / 100
}

// rules are the knobs of a spec with their defaults.
type rules struct {
	alpha, burn float64
	ratio       float64
	absolute    float64 // -1: by the objective
}

func rulesOf(j v1alpha1.Judgement) rules {
	r := rules{
		alpha: cmp.Or(share(string(j.FalseAbortRate)), stats.FalseAbortRate), burn: stats.MaxBurnRate,
		ratio: stats.ToleranceRatio, absolute: -1,
	}
	if v, ok := number(string(j.MaxBurnRate)); ok {
		r.burn = v
	}
	if t := j.Tolerance; t != nil {
		if v, ok := number(string(t.Ratio)); ok {
			r.ratio = v
		}
		if t.Absolute != "" {
			r.absolute = share(string(t.Absolute))
		}
	}
	return r
}

// failAt is the evidence that ends a run.
func (r rules) failAt() float64 { return 1 / r.alpha }

const (
	// passAt is the evidence that suffices for the next step: 1/missRate.
	passAt = 1 / stats.MissRate
	// doubtAt is the evidence against a canary from which on nothing passes.
	doubtAt = 10
)

// tolerance is how much worse than stable the canary may be.
func (r rules) tolerance(j Judged) stats.Limit {
	if j.Kind == Comparison {
		return stats.Limit{Ratio: 1.25, Absolute: 0.005}
	}
	l := stats.Tolerance(j.budget())
	l.Ratio = r.ratio
	if r.absolute >= 0 {
		l.Absolute = r.absolute
	}
	return l
}

// burning is the limit without stable: what the service may burn.
func (r rules) burning(j Judged) stats.Limit {
	return stats.Limit{Absolute: min(1, r.burn*j.budget())}
}

// mustProve is what the canary must be proven to be under before it gets a share.
func (r rules) mustProve(j Judged, nextWeight float64) stats.Limit {
	switch {
	case j.Good > 0:
		return stats.BurnLimit(r.burn, j.budget(), nextWeight)
	case j.Kind == Comparison:
		return stats.Limit{Ratio: 1.5, Absolute: 0.02}
	default:
		return stats.Limit{Ratio: 3, Absolute: 0.004}
	}
}

// noiseOf is the noise factor that a spec sets; false when it is to be learned.
func noiseOf(j v1alpha1.Judgement) (float64, bool) {
	v, ok := number(j.Noise)
	return v, ok && v >= 1 && !math.IsNaN(v)
}

// Noise is the noise factor of a metric: the one that the spec sets, or what
// stable's blocks before the run, as bad and total, tell.
func Noise(j v1alpha1.Judgement, history [][2]float64) float64 {
	if v, fixed := noiseOf(j); fixed {
		return v
	}
	blocks := make([]stats.Counts, 0, len(history))
	for _, b := range history {
		blocks = append(blocks, stats.Counts{Bad: b[0], Total: b[1]})
	}
	return stats.NoiseFactor(blocks)
}

// LearnsNoise reports whether stable's history is needed.
func LearnsNoise(j v1alpha1.Judgement) bool {
	_, fixed := noiseOf(j)
	return !fixed
}
