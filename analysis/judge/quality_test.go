// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestDataQuality holds each row of the table of data quality: one case, one outcome.
func TestDataQuality(t *testing.T) {
	nothing, useless := Count{}, Count{Message: "the query gives 2 values where one is needed"}
	tests := map[string]struct {
		reason string
		canary Arm
		stable Arm
		want   v1alpha1.BlockReason
		usable bool
	}{
		"BAD empty and TOTAL > 0":        {"where nothing was ever bad there is no series", Arm{Total: Count{120, true, ""}, Bad: []Count{nothing}}, has(1, 900), "", true},
		"canary TOTAL empty":             {"no pod was scraped at the start of the block", Arm{Total: nothing, Bad: []Count{nothing}}, has(1, 900), v1alpha1.BlockNoSeries, false},
		"stable TOTAL empty":             {"as no traffic: the objective alone goes on", has(0, 100), Arm{}, "", true},
		"canary TOTAL = 0":               {"no traffic is no evidence", has(0, 0), has(1, 900), v1alpha1.BlockNoTraffic, false},
		"stable TOTAL = 0":               {"nothing to compare with in this block", has(0, 100), has(0, 0), "", true},
		"NaN":                            {"never coerced", Arm{Total: Count{math.NaN(), true, ""}, Bad: []Count{nothing}}, has(1, 900), v1alpha1.BlockInvalidSample, false},
		"infinite":                       {"never coerced", has(math.Inf(1), 100), has(1, 900), v1alpha1.BlockInvalidSample, false},
		"negative":                       {"counters do not fall", has(-1, 100), has(1, 900), v1alpha1.BlockInvalidSample, false},
		"BAD > TOTAL":                    {"the selectors do not fit", has(120, 100), has(1, 900), v1alpha1.BlockInvalidSample, false},
		"stable BAD > TOTAL":             {"of either revision", has(0, 100), has(901, 900), v1alpha1.BlockInvalidSample, false},
		"a vector of several elements":   {"no element is the right one", Arm{Total: useless}, has(1, 900), v1alpha1.BlockInvalidSample, false},
		"nc > 20x what both usually had": {"a broken counter", has(0, 30_000), has(1, 900), v1alpha1.BlockImplausibleCount, false},
		"nc = 10x after a new weight":    {"a new weight moves what there was", has(0, 1000), has(0, 0), "", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGame(t, slo())
			g.rows(times(4, [4]float64{0, 100, 1, 900})...)
			before := g.metric().Evidence
			g.next(tc.canary, tc.stable)
			after := g.metric().Evidence
			if got := after.Blocks[len(after.Blocks)-1].Reason; got != tc.want {
				t.Errorf("%s: reason %q, want %q", tc.reason, got, tc.want)
			}
			if moved := !cmp.Equal(before.State, after.State); moved != tc.usable {
				t.Errorf("%s: the processes moved: %v, want %v", tc.reason, moved, tc.usable)
			}
			if after.Usable+after.Unusable != 5 || g.status.Phase != v1alpha1.AnalysisRunning {
				t.Errorf("%s: %d usable and %d unusable blocks, phase %s", tc.reason, after.Usable, after.Unusable, g.status.Phase)
			}
		})
	}
}

// A stable that has no series for long is said to be gone. What compares with it
// stands still, the objective alone goes on and may pass the canary.
func TestStableIsGone(t *testing.T) {
	spec := slo()
	spec.Question = asked(0, 10)
	g := newGame(t, spec)
	g.rows(times(3, [4]float64{0, 10, 1, 90})...)
	fail := parse(t, g.metric().Evidence.Fail)
	for range 37 {
		g.next(has(0, 1), Arm{})
	}
	m := g.metric()
	if !strings.Contains(m.Message, "(NoBaseline: stable has had no series for 5m; the canary is judged by the objective alone)") {
		t.Errorf("message %q, want it to say NoBaseline", m.Message)
	}
	if m.Evidence.Unusable != 0 || parse(t, m.Evidence.Fail) > fail {
		t.Errorf("%d unusable blocks, evidence against the canary %g and then %s; want none, and no more of it", m.Evidence.Unusable, fail, m.Evidence.Fail)
	}
	g.rows(times(2, [4]float64{0, 100, 1, 900})...)
	if m = g.metric(); strings.Contains(m.Message, "NoBaseline") {
		t.Errorf("stable is back, and the message is %q", m.Message)
	}
}

func TestNoUsableBlock(t *testing.T) {
	tests := map[string]struct {
		reason string
		policy v1alpha1.OnNoData
		phase  v1alpha1.AnalysisPhase
		says   string
	}{
		"hold":   {"the release waits", v1alpha1.OnNoDataHold, v1alpha1.AnalysisRunning, "no usable block for 5m: NoTraffic: the canary got no request; the release holds"},
		"abort":  {"the release is taken back", v1alpha1.OnNoDataAbort, v1alpha1.AnalysisFailed, "no usable block for 5m: NoTraffic"},
		"ignore": {"the others decide", v1alpha1.OnNoDataIgnore, v1alpha1.AnalysisRunning, "the other metrics decide"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			spec := slo()
			spec.OnNoData, spec.Question = tc.policy, asked(0, 10)
			g := newGame(t, spec)
			g.rows(times(3, [4]float64{0, 100, 1, 900})...)
			if v := g.metric().Verdict; v != v1alpha1.MetricPassing {
				t.Fatalf("before: %s, want Passing", v)
			}
			g.rows(times(36, [4]float64{0, 0, 1, 900})...)
			if g.metric().Verdict != v1alpha1.MetricNoData || g.status.Phase != tc.phase || !strings.Contains(g.status.Message, tc.says) {
				t.Errorf("%s: %s, %s: %q", tc.reason, g.metric().Verdict, g.status.Phase, g.status.Message)
			}
			if a := g.status.Answer; a.Verdict == v1alpha1.AnalysisPassed {
				t.Errorf("%s: what was not measured passes: %q", tc.reason, a.Message)
			}
		})
	}
}

func TestOutageDelaysAndLosesNothing(t *testing.T) {
	spec := slo()
	spec.Question = asked(0, 10)
	whole, g := newGame(t, spec), newGame(t, spec)
	rows := times(50, [4]float64{0, 100, 1, 900})
	whole.rows(rows...)
	g.rows(rows[:10]...)
	var waiting []Block
	for range 36 {
		g.block++
		waiting = append(waiting, Block{End: start.Add(time.Duration(g.block) * 10 * time.Second), Canary: has(0, 100), Stable: has(1, 900)})
		g.judge(nil, "Prometheus is away")
	}
	if m := g.metric(); m.Verdict != v1alpha1.MetricNoData || !strings.Contains(m.Message, "ProviderUnavailable: Prometheus is away") || g.status.Answer.Verdict == v1alpha1.AnalysisPassed {
		t.Errorf("after six minutes: %s: %q; answer %s", m.Verdict, m.Message, g.status.Answer.Verdict)
	}
	g.judge(map[string][]Block{g.name(): waiting})
	g.rows(rows[46:]...)
	if diff := cmp.Diff(whole.metric().Evidence, g.metric().Evidence); diff != "" {
		t.Errorf("-without +with an outage:\n%s", diff)
	}
}

// TestReplay: the same blocks give the same status, whether it was kept in
// memory or read back after every block, and given one by one or all at once.
func TestReplayedBlocks(t *testing.T) {
	const seed = 11
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, seed))
	spec := slo()
	spec.CompareLatency, spec.Question = true, asked(200*time.Second, 25)
	var rows [][4]float64
	for range 200 {
		n := float64(rng.IntN(30))
		rows = append(rows, [4]float64{min(n, float64(rng.IntN(20)/19)), n, float64(rng.IntN(2)), 90})
	}
	live, restarted := newGame(t, spec), newGame(t, spec)
	restarted.restarts = true
	live.rows(rows...)
	restarted.rows(rows...)
	if diff := cmp.Diff(live.status, restarted.status); diff != "" {
		t.Errorf("-live +restarted after every block:\n%s", diff)
	}
	atOnce := newGame(t, spec)
	blocks := map[string][]Block{}
	for i, r := range rows {
		for name := range atOnce.learned {
			blocks[name] = append(blocks[name], Block{End: start.Add(time.Duration(i+1) * 10 * time.Second), Canary: has(r[0], r[1]), Stable: has(r[2], r[3])})
		}
	}
	atOnce.block = len(rows)
	atOnce.judge(blocks)
	if diff := cmp.Diff(live.status.Metrics, atOnce.status.Metrics); diff != "" {
		t.Errorf("-live +replayed at once:\n%s", diff)
	}
	again := atOnce.status
	atOnce.judge(blocks)
	if diff := cmp.Diff(again, atOnce.status); diff != "" {
		t.Errorf("a block counts once: -want +got:\n%s", diff)
	}
}

// TestRequestsAfterASilence: when nothing was scraped for five minutes, the first
// block after that has the requests of all of them, and each of them counts.
func TestRequestsAfterASilence(t *testing.T) {
	for name, silent := range map[string]int{"half a minute": 3, "a minute": 6, "five minutes": 30} {
		t.Run(name, func(t *testing.T) {
			g := newGame(t, slo())
			g.rows(times(8, [4]float64{1, 1000, 9, 9000})...)
			g.rows(times(silent, [4]float64{})...)
			n := float64(silent + 1)
			g.rows([4]float64{n, 1000 * n, 9 * n, 9000 * n})
			g.rows(times(8, [4]float64{1, 1000, 9, 9000})...)
			ev := g.metric().Evidence
			if want := exact(16+n) + "/" + exact(1000*(16+n)); ev.Canary != want || ev.Unusable != int64(silent) {
				t.Errorf("canary %s with %d unusable blocks, want %s and the %d silent ones", ev.Canary, ev.Unusable, want, silent)
			}
		})
	}
}
