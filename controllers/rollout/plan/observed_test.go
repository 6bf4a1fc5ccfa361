// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// share is what a block counted of a thousand requests, or of another number.
func share(canary, requests float64) v1alpha1.BlockStatus {
	return v1alpha1.BlockStatus{Canary: fmt.Sprintf("0/%g", canary), Stable: fmt.Sprintf("1/%g", requests-canary)}
}

// counts is a metric that passes and has counted these blocks of ten seconds, the last one until noon.
func counts(name string, blocks ...v1alpha1.BlockStatus) v1alpha1.MetricStatus {
	m := metric(v1alpha1.MetricPassing)
	m.Name, m.Evidence = name, &v1alpha1.MetricEvidence{Block: v1alpha1.Duration{Duration: 10 * time.Second}}
	for i, b := range blocks {
		b.At = metav1.NewTime(noon.Add(time.Duration(i+1-len(blocks)) * 10 * time.Second))
		m.Evidence.Blocks = append(m.Evidence.Blocks, b)
	}
	return m
}

// watchedBy has the canary get 25 % for a minute by routes that report nothing,
// at a pause that is over, while metrics count.
func watchedBy(metrics ...v1alpha1.MetricStatus) []edit {
	over := v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: 30 * time.Second}}}
	return []edit{inSteps(weightStep(25), over, weightStep(50)), canaryOf(1, 1, 25), analysed(1, v1alpha1.AnalysisRunning, "", metrics...), silently, settledNow}
}

func five(b v1alpha1.BlockStatus) []v1alpha1.BlockStatus {
	return slices.Repeat([]v1alpha1.BlockStatus{b}, 5)
}

// writtenAt has the routes carry what they carry since a time before noon.
func writtenAt(ago time.Duration) edit {
	return func(s *Snapshot) {
		at := noon.Add(-ago)
		s.Rollout.Status.Traffic.Since.Time, s.Rollout.Status.Traffic.AcceptedAt.Time = at, at
	}
}

// saw has the status remember figures.
func saw(canary, requests int64) edit {
	return func(s *Snapshot) {
		s.Rollout.Status.Traffic.Observed = &v1alpha1.ObservedTraffic{Metric: "errors", Share: "1%", Canary: canary, Requests: requests}
	}
}

func theRun(change func(*v1alpha1.AnalysisRun)) edit {
	return func(s *Snapshot) { change(&s.Runs[0]) }
}

// carrying25 has the routes carry something beside 25 %.
func carrying25(change func(*traffic.Split)) edit {
	return func(s *Snapshot) {
		split := traffic.CanaryAt(25)
		change(&split)
		s.Traffic.Requested = []traffic.Split{split}
		settledNow(s)
	}
}

// TestObservedShare: requests that were counted confirm the routes or hold the
// release, where nothing but time speaks for them; and say nothing where they can't.
func TestObservedShare(t *testing.T) {
	type seen struct {
		By     v1alpha1.Evidence
		Share  v1alpha1.Percentage
		Step   int32
		Reason string
	}
	none, right := five(share(0, 1000)), five(share(250, 1000))
	settled := seen{v1alpha1.EvidenceSettleTime, "", 2, v1alpha1.ReasonWaitingForPods}
	observed := seen{v1alpha1.EvidenceObservedShare, "25%", 2, v1alpha1.ReasonWaitingForPods}
	strays := func(share v1alpha1.Percentage, reason string) seen { return seen{"", share, 1, reason} }
	noSeries := v1alpha1.BlockStatus{Stable: "0/1000", Reason: v1alpha1.BlockNoSeries}
	cases := map[string]struct {
		reason  string
		metrics []v1alpha1.MetricStatus
		edits   []edit
		want    seen
	}{
		"NoCounts":    {"nobody counts", []v1alpha1.MetricStatus{metric(v1alpha1.MetricPassing)}, nil, settled},
		"FewRequests": {"fifty requests prove nothing", []v1alpha1.MetricStatus{counts("errors", five(share(0, 10))...)}, nil, settled},
		"Agreeing":    {"it gets what it is given", []v1alpha1.MetricStatus{counts("errors", right...)}, nil, observed},
		"Between":     {"less than half of it, which callers beside the mesh explain", []v1alpha1.MetricStatus{counts("errors", five(share(100, 1000))...)}, nil, settled},
		"None":        {"it gets nothing", []v1alpha1.MetricStatus{counts("errors", none...)}, nil, strays("0%", v1alpha1.ReasonWaitingForTraffic)},
		"NoneForLong": {"and does not for convergence.timeout", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{writtenAt(5 * time.Minute)}, strays("0%", v1alpha1.ReasonTrafficNotObserved)},
		"FarMore":     {"it gets nearly everything", []v1alpha1.MetricStatus{counts("errors", five(share(900, 1000))...)}, nil, strays("90%", v1alpha1.ReasonWaitingForTraffic)},
		"NoSeries":    {"a canary that is never seen gets nothing", []v1alpha1.MetricStatus{counts("errors", five(noSeries)...)}, nil, strays("0%", v1alpha1.ReasonWaitingForTraffic)},
		"NoSeriesNoMatter": {
			"a person says that a lack of data is no matter", []v1alpha1.MetricStatus{counts("errors", five(noSeries)...)},
			[]edit{theRun(func(r *v1alpha1.AnalysisRun) { r.Spec.OnNoData = v1alpha1.OnNoDataIgnore })}, settled,
		},
		"BeforeTheWrite": {"blocks from before say nothing of it", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{writtenAt(5 * time.Second)}, settled},
		"AcrossTheWrite": {"nor does one that began before it had settled", []v1alpha1.MetricStatus{counts("errors", share(0, 9000))}, []edit{writtenAt(11 * time.Second)}, settled},
		"Doubtful": {
			"a block that is no count", []v1alpha1.MetricStatus{counts("errors", five(v1alpha1.BlockStatus{Canary: "0/0", Stable: "0/1000", Reason: v1alpha1.BlockInvalidSample})...)}, nil, settled,
		},
		"Values":      {"a scalar's values are no requests", []v1alpha1.MetricStatus{counts("errors", five(v1alpha1.BlockStatus{Canary: "0", Stable: "1000"})...)}, nil, settled},
		"Late":        {"the proxies were late, and follow by now", []v1alpha1.MetricStatus{counts("errors", append(none, share(250, 1000))...)}, nil, settled},
		"OneAgrees":   {"one of two metrics sees it get its share", []v1alpha1.MetricStatus{counts("errors", none...), counts("slow", right...)}, nil, observed},
		"OneIsUnsure": {"one of two has too little to say no", []v1alpha1.MetricStatus{counts("errors", none...), counts("slow", share(0, 10))}, nil, settled},
		"DryRun":      {"it is to decide nothing", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{theRun(func(r *v1alpha1.AnalysisRun) { r.Status.Metrics[0].DryRun = true })}, settled},
		"Logs": {"lines are no requests", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{theRun(func(r *v1alpha1.AnalysisRun) {
			r.Spec.Metrics[0].Proportion = &v1alpha1.Proportion{Provider: v1alpha1.ProviderLoki}
		})}, settled},
		"OtherRevision": {"the run of another revision", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{theRun(func(r *v1alpha1.AnalysisRun) { r.Spec.Subject.Canary.Revision = "v0" })}, settled},
		"OtherStable":   {"it compares with a baseline's pods", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{theRun(func(r *v1alpha1.AnalysisRun) { r.Spec.Subject.Stable.Revision = "v1-b2" })}, settled},
		"Alone":         {"there is nothing to compare with", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{theRun(func(r *v1alpha1.AnalysisRun) { r.Spec.Subject.Stable = nil })}, settled},
		"Reports":       {"the data plane's own word", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{func(s *Snapshot) { s.Traffic = carried(traffic.CanaryAt(25)) }}, seen{v1alpha1.EvidenceRouteStatus, "", 2, v1alpha1.ReasonWaitingForPods}},
		"Skipped":       {"a person goes on without", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{func(s *Snapshot) { s.Rollout.Status.AnalysisSkipped = &v1alpha1.PersonStatus{By: "ann"} }}, settled},
		"Remembered":    {"nobody calls any more, which disproves nothing", []v1alpha1.MetricStatus{counts("errors", share(0, 1))}, []edit{saw(0, 9000)}, strays("1%", v1alpha1.ReasonWaitingForTraffic)},
		"Night":         {"nobody calls for longer than blocks are kept", []v1alpha1.MetricStatus{counts("errors", slices.Repeat([]v1alpha1.BlockStatus{share(0, 0)}, 8)...)}, []edit{saw(0, 9000)}, strays("1%", v1alpha1.ReasonWaitingForTraffic)},
		"MendedByFew": {"one request a block, of which the canary gets a quarter", []v1alpha1.MetricStatus{counts("errors", share(1, 1), share(0, 1), share(0, 1), share(0, 1), share(1, 1), share(0, 1), share(0, 1), share(0, 1))},
			[]edit{saw(0, 9000)}, settled},
		"Mended":      {"the latest block disproves it, however few there were", []v1alpha1.MetricStatus{counts("errors", share(3, 10))}, []edit{saw(0, 9000)}, settled},
		"KeptFigures": {"what was seen once is not told again with every block", []v1alpha1.MetricStatus{counts("errors", right...)}, []edit{saw(500, 2000)}, seen{v1alpha1.EvidenceObservedShare, "1%", 2, v1alpha1.ReasonWaitingForPods}},
		"KeptAfterwards": {
			"nor forgotten with the run", []v1alpha1.MetricStatus{counts("errors", share(0, 1))}, []edit{saw(500, 2000)}, seen{v1alpha1.EvidenceObservedShare, "1%", 2, v1alpha1.ReasonWaitingForPods},
		},
		"Turned": {"it had its share, and has it no more", []v1alpha1.MetricStatus{counts("errors", none...)}, []edit{saw(500, 2000)}, strays("0%", v1alpha1.ReasonWaitingForTraffic)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := Decide(scene(slices.Concat(watchedBy(tc.metrics...), tc.edits)...))
			got := seen{p.Status.Traffic.ConfirmedBy, "", p.Status.CurrentStep.Index, readyReason(p.Status)}
			if o := p.Status.Traffic.Observed; o != nil {
				got.Share = o.Share
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s\nmessage: %s", tc.reason, diff, p.Status.Message)
			}
			if known := len(p.Status.Traffic.Confirmed) > 0; known != (tc.want.By != "") {
				t.Errorf("%s: confirmed is %v, by %q", tc.reason, p.Status.Traffic.Confirmed, tc.want.By)
			}
		})
	}
}

// readyReason is the reason of condition Ready.
func readyReason(s v1alpha1.RolloutStatus) string {
	for _, c := range s.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}

// TestNoShareBesideMatches: what goes beside the shares changes who gets what.
func TestNoShareBesideMatches(t *testing.T) {
	for name, change := range map[string]func(*traffic.Split){
		"Matches":  func(s *traffic.Split) { s.Matches = []v1alpha1.MatchRoute{{Name: "testers"}} },
		"Mirror":   func(s *traffic.Split) { s.Mirror = 10 },
		"Cookie":   func(s *traffic.Split) { s.Sticky = &traffic.Sticky{Cookie: "canary"} },
		"Baseline": func(s *traffic.Split) { s.Baseline, s.Stable = 25, 50 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, blocks := range [][]v1alpha1.BlockStatus{five(share(0, 1000)), five(share(250, 1000))} {
				s := scene(append(watchedBy(counts("errors", blocks...)), carrying25(change))...)
				if f := assess(s); f.sight != unsure || f.observed != nil {
					t.Errorf("%v says %d of %v", f.observed, f.sight, s.Traffic.Requested)
				}
			}
		})
	}
}

// TestStrayTrafficHoldsAndKeeps: while requests contradict the routes nothing is
// given to the canary and no capacity leaves, and the way back is as ever.
func TestStrayTrafficHoldsAndKeeps(t *testing.T) {
	none, most := watchedBy(counts("errors", five(share(0, 1000))...)), watchedBy(counts("errors", five(share(900, 1000))...))
	at := func(base []edit, more ...edit) Snapshot { return scene(slices.Concat(base, more)...) }
	atStep := func(n int32) edit { return func(s *Snapshot) { s.Rollout.Status.CurrentStep.Index = n } }
	pods := func(hash string, n int32) edit {
		return func(s *Snapshot) {
			for i := range s.Revisions {
				if s.Revisions[i].Hash == hash {
					s.Revisions[i] = revision(hash, s.Revisions[i].Number, n)
				}
			}
		}
	}
	listing := func(s *Snapshot) { s.CanaryService = service("canary", "v2", s.Revisions[1].Ready); settledNow(s) }
	dynamic := func(s *Snapshot) { s.Rollout.Spec.Strategy.Canary.ScaleStable = v1alpha1.ScaleStableDynamic }
	back := latched(v1alpha1.ReasonAbortedByCommand)

	for name, m := range map[string]moment{
		"Named":        {"where to look is said", at(none, writtenAt(5*time.Minute)), []string{"Holding", "the routes give the canary 25 %, but metric errors saw it get 0 % of 5000 requests (0, from 11:59:10 to 12:00:00 UTC)", "HTTPRoute shop", "skip-analysis goes on without it, and after abort and retry"}, nil},
		"NoNextWrite":  {"a weight that was not seen is not raised", at(none, atStep(2), pods("v2", 2), listing), []string{"at step 2"}, []string{"canary 50 %"}},
		"NextWrite":    {"as it would be otherwise", at(watchedBy(counts("errors", five(share(250, 1000))...)), atStep(2), pods("v2", 2), listing), []string{"canary 50 %"}, nil},
		"StableGrows":  {"a stable revision that still gets everything is there in full", at(none, dynamic, pods("v1", 3)), []string{"scale shop-v1 from 3 to 4"}, nil},
		"CanaryStays":  {"one that gets more than it should keeps its pods", at(most, pods("v2", 3)), nil, []string{"scale shop-v2"}},
		"CanaryLeaves": {"which it would lose otherwise", at(watchedBy(counts("errors", five(share(250, 1000))...)), pods("v2", 3), listing, atStep(0)), []string{"scale shop-v2 from 3 to "}, nil},
		"StableWaits":  {"a stable revision is not shrunk before requests tell", at(watchedBy(counts("errors", share(0, 1))), dynamic, atStep(0)), nil, []string{"scale shop-v1"}},
		"CanaryWaits":  {"nor a canary whose weight fell", at(watchedBy(counts("errors", share(0, 1))), pods("v2", 3), listing, atStep(0)), nil, []string{"scale shop-v2"}},
		"StableLeaves": {"it is when they never do", at(watchedBy(counts("errors", share(0, 1))), dynamic, atStep(0), writtenAt(5*time.Minute)), []string{"scale shop-v1 from 4 to "}, nil},
		"Aborted":      {"the way back waits for nothing", at(none, back), []string{toStable, "Aborting"}, []string{"Holding"}},
		"RolledBack":   {"neither does a template that is stable's again", at(most, wants("v1")), []string{toStable, "RollingBack"}, nil},
		"NoStable": {"nor the rescue from a stable revision without pods", at(none, func(s *Snapshot) {
			s.Revisions[0].Ready, s.Revisions[0].Available = 0, 0
			s.StableService = service("stable", "v1", 0)
		}), []string{toCanary}, nil},
		"NoDeadline":    {"time that a metric takes is not the cluster's", at(none, atStep(2), waitingFor11Minutes), []string{"at step 2"}, []string{"Aborting"}},
		"NotPromoted":   {"all traffic that was not seen promotes nobody", at(none, atStep(3), carrying25(func(s *traffic.Split) { *s = traffic.CanaryAt(100) }), pods("v2", 4)), []string{"canary v2"}, []string{"point Service stable"}},
		"SkipsAnalysis": {"a person's word goes on without", at(none, says(v1alpha1.VerbSkipAnalysis)), []string{"skip-analysis Accepted", "at step 2"}, nil},
	} {
		t.Run(name, m.check)
	}
}

// TestDoubt: a share at the limit of what is tolerated is called right or wrong
// with a probability of at most the doubt, by the exact binomial distribution.
func TestDoubt(t *testing.T) {
	for _, weight := range []int32{0, 1, 5, 10, 25, 50, 75, 95, 99, 100} {
		low, high := limits(weight, farOff)
		for _, n := range []int{50, 200, 1000, 5000} {
			for _, p := range []float64{low, high} {
				var right, wrong float64
				for k := range n + 1 {
					switch shareSays(weight, float64(k), float64(n)) {
					case agreeing:
						right += binomial(k, n, p)
					case contradicting:
						wrong += binomial(k, n, p)
					case unsure:
					}
				}
				if p > 0 && p < 1 && (right > doubt || wrong > doubt) {
					t.Errorf("weight %d %%, limit %.4f, %d requests: called right with probability %g, wrong with %g", weight, p, n, right, wrong)
				}
			}
		}
		w := float64(weight)
		if got := shareSays(weight, 100*w, 10000); got != agreeing {
			t.Errorf("exactly %d %% of 10,000 requests: %d, want agreement", weight, got)
		}
	}
}

func binomial(k, n int, p float64) float64 {
	if p <= 0 || p >= 1 {
		return 0
	}
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return math.Exp(lg(n) - lg(k) - lg(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log(1-p))
}

// TestLimits shows what is tolerated, in percent.
func TestLimits(t *testing.T) {
	var got []string
	for _, weight := range []int32{0, 1, 5, 10, 25, 50, 90, 100} {
		low, high := limits(weight, farOff)
		got = append(got, fmt.Sprintf("%d: %.1f to %.1f", weight, 100*low, 100*high))
	}
	want := "0: 0.0 to 20.8; 1: 0.2 to 20.8; 5: 1.0 to 20.8; 10: 2.2 to 35.7; 25: 6.2 to 62.5; 50: 16.7 to 83.3; 90: 64.3 to 97.8; 100: 79.2 to 100.0"
	if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" {
		t.Errorf("limits (-want, +got):\n%s", diff)
	}
}
