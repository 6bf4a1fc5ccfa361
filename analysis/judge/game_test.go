// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// slo is a run with one objective of availability.
func slo() v1alpha1.AnalysisRunSpec {
	return v1alpha1.AnalysisRunSpec{
		Judgement: v1alpha1.Judgement{Preset: "Istio", Objectives: &v1alpha1.Objectives{Availability: "99.9%"}, Noise: "1"},
		Subject:   &v1alpha1.Subject{},
		Block:     v1alpha1.Duration{Duration: 10 * time.Second},
	}
}

// game is a run that is played block by block.
type game struct {
	t       *testing.T
	spec    v1alpha1.AnalysisRunSpec
	status  v1alpha1.AnalysisRunStatus
	learned map[string]*v1alpha1.MetricEvidence
	block   int
	alone   bool
	// restarts: the status goes through JSON after every block.
	restarts bool
}

func newGame(t *testing.T, spec v1alpha1.AnalysisRunSpec, change ...func(*v1alpha1.MetricEvidence)) *game {
	t.Helper()
	g := &game{t: t, spec: spec, learned: map[string]*v1alpha1.MetricEvidence{}}
	for _, j := range List(spec) {
		if j.Counted() {
			ev := &v1alpha1.MetricEvidence{
				Block: v1alpha1.Duration{Duration: 10 * time.Second}, Settle: v1alpha1.Duration{Duration: 15 * time.Second}, Noise: "1",
			}
			switch j.Kind {
			case Latency:
				ev.Edges = []string{"0.5", "0.25"}
			case Comparison:
				ev.Edges = []string{"0.05", "0.1", "0.5"}
			case Threshold, Scalar, Proportion, Job:
			}
			for _, c := range change {
				c(ev)
			}
			g.learned[j.Name] = ev
		}
	}
	g.judge(nil)
	return g
}

func (g *game) now() time.Time {
	return start.Add(time.Duration(g.block)*10*time.Second + 15*time.Second)
}

func (g *game) judge(blocks map[string][]Block, delayed ...string) {
	g.t.Helper()
	in := Input{Spec: g.spec, Status: g.status, Now: g.now(), Learned: g.learned, Blocks: blocks, Delayed: map[string]string{}, Alone: g.alone}
	if g.status.StartedAt == nil {
		in.Now = start
	}
	for _, why := range delayed {
		in.Delayed[g.name()] = why
	}
	g.status = Run(in)
	if g.restarts {
		g.status = stored(g.t, g.status)
	}
}

func (g *game) name() string { return List(g.spec)[0].Name }

func (g *game) metric() v1alpha1.MetricStatus { return g.status.Metrics[0] }

// next plays one block for every counted metric.
func (g *game) next(canary, stable Arm) {
	g.t.Helper()
	g.block++
	blocks := map[string][]Block{}
	for name := range g.learned {
		blocks[name] = []Block{{End: start.Add(time.Duration(g.block) * 10 * time.Second), Canary: canary, Stable: stable}}
	}
	g.judge(blocks)
}

// rows plays rows of ec, nc, es, ns.
func (g *game) rows(rows ...[4]float64) {
	g.t.Helper()
	for _, r := range rows {
		g.next(has(r[0], r[1]), has(r[2], r[3]))
	}
}

func has(bad, total float64) Arm {
	return Arm{Total: Count{Value: total, Known: true}, Bad: []Count{{Value: bad, Known: true}}}
}

func times(n int, row [4]float64) (all [][4]float64) {
	for range n {
		all = append(all, row)
	}
	return all
}

func asked(since time.Duration, weight int32) *v1alpha1.Question {
	return &v1alpha1.Question{
		Step: 1, Since: metav1.NewTime(start.Add(since)), NextWeight: weight, MaxDuration: v1alpha1.Duration{Duration: 15 * time.Minute},
	}
}
