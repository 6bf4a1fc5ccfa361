// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// sight is what the requests that an analysis counted say of the split, where
// no data plane reports it.
type sight int

const (
	// unsure: nobody counted, too few requests, or a share in between.
	unsure sight = iota
	// agreeing: the canary gets about what the routes give it, beyond doubt.
	agreeing
	// contradicting: it gets something else, beyond doubt.
	contradicting
)

// sightOf says whether the requests counted since the routes last changed follow
// the routes, and gives the figures. The figures stay those of the first time that
// it was said: newer ones would cost a write of the status for every block. A
// contradiction lasts until a block shows otherwise; that nobody calls any more
// does not end it.
func sightOf(f facts, old *v1alpha1.ObservedTraffic) (*v1alpha1.ObservedTraffic, sight) {
	if !derivable(f) {
		return nil, unsure
	}
	split := f.Traffic.Requested[0]
	tallies := counted(f)
	fresh, now := mildest(tallies, split.Canary)
	before := unsure
	if old != nil {
		before = shareSays(split.Canary, float64(old.Canary), float64(old.Requests))
	}
	switch {
	case now != unsure && now != before:
		return fresh.figures(), now
	case now != unsure, before == agreeing, before == contradicting && counting(f) && !slices.ContainsFunc(tallies, func(t tally) bool { return t.follows(split.Canary) }):
		return old, before
	}
	return nil, unsure
}

// derivable: counted requests can say something. The routes give shares to two
// revisions and carry nothing beside them (matches, mirrors, cookies and a baseline
// change who gets what), they have settled, and no data plane reports what it serves.
func derivable(f facts) bool {
	stable, canary, st := f.StableService.Selects, f.CanaryService.Selects, f.Rollout.Status
	return f.means == byRoute && f.Traffic.Silent && len(f.Traffic.Requested) == 1 && f.Traffic.Requested[0].Plain() && f.settled() &&
		stable != "" && canary != "" && stable != canary && st.Abort == nil && st.AnalysisSkipped == nil
}

// awaitsSight: a run under way counts requests and has not told yet, or can't with so
// few. Until it tells, or until convergence.timeout is over, no pods are taken away
// on the strength of a settle time alone.
func awaitsSight(f facts) bool {
	return derivable(f) && f.sight == unsure && f.Now.Before(f.shiftedAt.Add(f.strategy.timeout)) && counting(f)
}

// counting: a run under way counts the requests that go to either revision, even if none go just now.
func counting(f facts) bool {
	return slices.ContainsFunc(f.Runs, func(r v1alpha1.AnalysisRun) bool {
		return compares(&r, f.StableService.Selects, f.CanaryService.Selects) && countsRequests(&r)
	})
}

// countsRequests reports whether any metric of a run counts what goes to either revision.
func countsRequests(run *v1alpha1.AnalysisRun) bool {
	return run.Spec.Preset != "" ||
		slices.ContainsFunc(run.Spec.Metrics, func(m v1alpha1.Metric) bool { return m.Proportion != nil && !ofLogs(run, m.Name) }) ||
		slices.ContainsFunc(run.Status.Metrics, func(m v1alpha1.MetricStatus) bool { return m.Evidence != nil })
}

// counted are the requests of the runs under way that compare the very
// revisions between which the routes split, by metric, from blocks that lie
// wholly after the split had settled.
func counted(f facts) []tally {
	var all []tally
	for i := range f.Runs {
		run := &f.Runs[i]
		if !compares(run, f.StableService.Selects, f.CanaryService.Selects) {
			continue
		}
		for _, m := range run.Status.Metrics {
			if t := tallyOf(m, f.settlesAt(), run.Spec.OnNoData == v1alpha1.OnNoDataIgnore); t.requests > 0 && !m.DryRun && !ofLogs(run, m.Name) {
				all = append(all, t)
			}
		}
	}
	return all
}

func compares(run *v1alpha1.AnalysisRun, stable, canary string) bool {
	s := run.Spec.Subject
	return !run.Spec.Stop && run.Status.CompletedAt == nil && s != nil && s.Stable != nil && s.Stable.Revision == stable && s.Canary.Revision == canary
}

// ofLogs: lines of logs are no requests; one version may write more of them than another.
func ofLogs(run *v1alpha1.AnalysisRun, metric string) bool {
	return slices.ContainsFunc(run.Spec.Metrics, func(m v1alpha1.Metric) bool {
		return m.Name == metric && m.Proportion != nil && m.Proportion.Provider == v1alpha1.ProviderLoki
	})
}

// tally is what one metric counted of the requests.
type tally struct {
	metric string
	// canary are those of the requests that the canary got.
	canary, requests float64
	// latest and latestCanary are the same of the last block that had any.
	latestCanary, latest float64
	since, until         time.Time
}

// tallyOf adds up blocks. A canary without series beside a stable revision with some got
// nothing, or is not scraped. That counts as nothing got, unless lenient: where a lack of
// data is to be ignored it says nothing.
func tallyOf(m v1alpha1.MetricStatus, from time.Time, lenient bool) tally {
	t := tally{metric: m.Name}
	if m.Evidence == nil || m.Evidence.NoStable {
		return t
	}
	for _, b := range m.Evidence.Blocks {
		begin := b.At.Add(-m.Evidence.Block.Duration)
		canary, known := total(b.Canary)
		stable, compared := total(b.Stable)
		if b.Reason == v1alpha1.BlockNoSeries && b.Canary == "" {
			known = !lenient
		}
		useless := b.Reason == v1alpha1.BlockInvalidSample || b.Reason == v1alpha1.BlockImplausibleCount
		if begin.Before(from) || !known || !compared || useless {
			continue
		}
		t = t.plus(canary, canary+stable, begin, b.At.Time)
	}
	return t
}

func (t tally) plus(canary, requests float64, begin, end time.Time) tally {
	if t.since.IsZero() {
		t.since = begin
	}
	t.canary, t.requests, t.until = t.canary+canary, t.requests+requests, end
	if requests > 0 {
		t.latestCanary, t.latest = canary, requests
	}
	return t
}

// total reads the second number of bad/total. Values that are no counts have none.
func total(text string) (float64, bool) {
	_, after, found := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(after, 64)
	return n, found && err == nil && n >= 0 && !math.IsInf(n, 0)
}

func (t tally) figures() *v1alpha1.ObservedTraffic {
	o := &v1alpha1.ObservedTraffic{
		Metric: t.metric, Canary: int64(math.Round(t.canary)), Requests: int64(math.Round(t.requests)),
		Since: metav1.NewTime(t.since), Until: metav1.NewTime(t.until),
	}
	o.Share = v1alpha1.Percentage(strconv.FormatFloat(math.Round(1000*t.canary/t.requests)/10, 'f', -1, 64) + "%")
	return o
}

// says judges a tally. What the latest block has put right is no contradiction any more.
func (t tally) says(weight int32) sight {
	s := shareSays(weight, math.Round(t.canary), math.Round(t.requests))
	if s == contradicting && t.follows(weight) {
		return unsure
	}
	return s
}

// follows reports whether the share of the latest block is within the limits, or
// that of all that a run keeps: where a block has few requests its own seldom can be.
func (t tally) follows(weight int32) bool {
	low, high := limits(weight, farOff)
	within := func(canary, requests float64) bool {
		return requests > 0 && canary >= low*requests && canary <= high*requests
	}
	return within(t.latestCanary, t.latest) || within(t.canary, t.requests)
}

// mildest is what several metrics say together: it agrees when one of them does, and
// contradicts only when all of them do.
func mildest(tallies []tally, weight int32) (tally, sight) {
	var worst tally
	s := unsure
	for i, t := range tallies {
		switch says := t.says(weight); {
		case says == agreeing:
			return t, agreeing
		case i == 0:
			worst, s = t, says
		case says == unsure:
			s = unsure
		}
	}
	return worst, s
}

const (
	// farOff is the factor by which the odds must differ from those that the routes ask
	// for before that is a contradiction. Retries, callers outside the mesh and pods that
	// are not scraped yet shift them by less. near is the factor that still is agreement.
	farOff, near = 5, 2
	// edgeOdds: a share of nothing, or everything, is judged as this many percent from it.
	edgeOdds = 5
	// bunch is how many requests count as one, because requests are not independent:
	// those of one connection, user or scrape go the same way.
	bunch = 4
	// doubt is the probability of a mistake at which a verdict counts as certain.
	doubt = 1e-6
)

// shareSays compares a share of requests with the weight asked for, in percent.
func shareSays(weight int32, canary, requests float64) sight {
	if requests <= 0 || canary > requests {
		return unsure
	}
	low, high := limits(weight, farOff)
	share := canary / requests
	below, above := share < low && differs(share, low, requests), share > high && differs(share, high, requests)
	if below || above {
		return contradicting
	}
	least, most := limits(weight, near)
	if share >= least && share <= most && differs(share, low, requests) && differs(share, high, requests) {
		return agreeing
	}
	return unsure
}

// differs reports whether a share of so many requests can't be that of requests
// which go to the canary with probability p. By Chernoff's bound a tail of the
// binomial distribution is at most exp(-n*KL), where KL is the divergence of
// the share from p; the exact tail is smaller.
func differs(share, p, requests float64) bool {
	if p <= 0 || p >= 1 {
		return true // a limit that no share can be beyond
	}
	return requests/bunch*(divergenceTerm(share, p)+divergenceTerm(1-share, 1-p)) >= -math.Log(doubt)
}

func divergenceTerm(q, p float64) float64 {
	if q == 0 {
		return 0
	}
	return q * math.Log(q/p)
}

// limits are the shares whose odds are a factor below and above those of a weight.
func limits(weight int32, factor float64) (low, high float64) {
	odds := func(percent int32, by float64) float64 {
		p := float64(percent) / 100
		return p * by / (1 - p + p*by)
	}
	return odds(min(weight, 100-edgeOdds), 1/factor), odds(max(weight, edgeOdds), factor)
}

// astray: the requests counted contradict the routes while a release is under way.
// Then the release goes no further, and no pods are taken away. Neither the way back
// to stable nor the rescue of traffic from a stable without pods asks this.
func astray(c cursor, f facts) bool {
	return f.sight == contradicting && c.mode(f) == forward && c.skipped == nil && !deserted(c, f)
}

// observedGate speaks while requests go another way than the routes say.
func observedGate(c cursor, f facts) (hold, bool) {
	if !astray(c, f) {
		return hold{}, false
	}
	h := waits(v1alpha1.ReasonWaitingForTraffic, "%s: %s; %s", stepText(c, f), strayText(f), strayRemedy(f))
	if f.Now.After(f.shiftedAt.Add(f.strategy.timeout)) {
		h.phase, h.reason = v1alpha1.PhaseHolding, v1alpha1.ReasonTrafficNotObserved
	}
	return h, true
}

func strayText(f facts) string {
	o := f.observed
	return fmt.Sprintf("the routes give the canary %d %%, but metric %s saw it get %s of %d requests (%d, from %s to %s)",
		f.Traffic.Requested[0].Canary, o.Metric, strings.Replace(string(o.Share), "%", " %", 1), o.Requests, o.Canary,
		o.Since.UTC().Format(time.TimeOnly), clockTime(o.Since.Time, o.Until.Time))
}

// strayRemedy names what helps this release: a run keeps the metrics, and what of
// them is dryRun, that it began with.
func strayRemedy(f facts) string {
	return fmt.Sprintf("look whether the proxies follow %s or callers go around it, and correct that; or whether the metric's labels miss pods or count both revisions as one: skip-analysis goes on without it, and after abort and retry the analysis counts as it is written by then, such as with the metric under dryRun", routesText(f))
}
