// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func weight(n int32) v1alpha1.Step { return v1alpha1.Step{SetWeight: &n} }

func pauseFor(d time.Duration) v1alpha1.Step {
	return v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: d}}}
}

func scaleTo(n int32) v1alpha1.Step {
	return v1alpha1.Step{SetScale: &v1alpha1.SetScale{Replicas: &n}}
}

func analyzeFor(most time.Duration, then v1alpha1.OnInconclusive) v1alpha1.Step {
	return v1alpha1.Step{Analyze: &v1alpha1.Analyze{MaxDuration: &v1alpha1.Duration{Duration: most}, OnInconclusive: then}}
}

func matchTesters(on bool) v1alpha1.Step {
	m := v1alpha1.MatchRoute{Name: "testers"}
	if on {
		value := "1"
		m.Match = []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Name: "X-Canary", Exact: &value}}}}
	}
	return v1alpha1.Step{MatchRoute: &m}
}

// baselineOf begins a baseline; without pods it ends one.
func baselineOf(pods, weight int32) v1alpha1.Step {
	return v1alpha1.Step{Baseline: &v1alpha1.Baseline{Replicas: pods, Weight: weight}}
}

// plans are the steps that schedules choose from; those after plain need routes.
func plans() (plain, all [][]v1alpha1.Step) {
	minute := &v1alpha1.Duration{Duration: time.Minute}
	job := v1alpha1.Step{Job: &v1alpha1.JobStep{Timeout: minute}}
	gate := v1alpha1.Step{Gate: &v1alpha1.Gate{URL: "https://gate.example", Timeout: minute}}
	approve := v1alpha1.Step{Approve: &v1alpha1.Approve{Timeout: &v1alpha1.Duration{Duration: 2 * time.Minute}, OnTimeout: v1alpha1.OnTimeoutPromote}}
	forever := v1alpha1.Step{Pause: &v1alpha1.Pause{}}
	bounded := v1alpha1.Step{Pause: &v1alpha1.Pause{Timeout: minute, OnTimeout: v1alpha1.OnTimeoutAbort}}
	plain = [][]v1alpha1.Step{
		nil,
		{weight(5), weight(50), weight(99)},
		{weight(25), analyzeFor(5*time.Minute, ""), weight(75), pauseFor(5 * time.Second), weight(50), weight(99)},
		{weight(10), forever, weight(100)},
		{weight(0), pauseFor(10 * time.Second), weight(20), analyzeFor(3*time.Minute, v1alpha1.OnInconclusiveAbort), weight(20), weight(60)},
		{analyzeFor(time.Minute, v1alpha1.OnInconclusivePromote), weight(50), weight(0), weight(50), analyzeFor(3*time.Minute, v1alpha1.OnInconclusiveAbort)},
		{job, weight(30), gate, weight(60), approve},
	}
	all = append(slices.Clone(plain), [][]v1alpha1.Step{
		{scaleTo(3), matchTesters(true), pauseFor(5 * time.Second), weight(20), matchTesters(false), weight(70)},
		{{Mirror: &v1alpha1.Mirror{Percent: 10}}, bounded, {Mirror: &v1alpha1.Mirror{}}, weight(40), {SetScale: &v1alpha1.SetScale{MatchWeight: true}}, weight(80)},
		{matchTesters(true), approve, scaleTo(1), weight(50), {SetScale: &v1alpha1.SetScale{Percent: new(int32(100))}}, weight(90)},
	}...)
	return plain, all
}

// The names of the Services of all schedules.
const stableName, canaryName, callerName = "shop-stable", "shop-canary", "shop"

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func routeRefs() []v1alpha1.RouteRef {
	return []v1alpha1.RouteRef{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "shop"}}
}

func analysis() *v1alpha1.Analysis {
	m := v1alpha1.Metric{Name: "errors", Proportion: &v1alpha1.Proportion{Total: `requests{track="$(arm)"}`, Bad: `requests{track="$(arm)",code="500"}`}}
	return &v1alpha1.Analysis{Metrics: []v1alpha1.Metric{m}, Block: &v1alpha1.Duration{Duration: 30 * time.Second}}
}

// controlled are plans with a baseline.
func controlled() [][]v1alpha1.Step {
	approve := v1alpha1.Step{Approve: &v1alpha1.Approve{Timeout: &v1alpha1.Duration{Duration: 2 * time.Minute}, OnTimeout: v1alpha1.OnTimeoutPromote}}
	return [][]v1alpha1.Step{
		{baselineOf(2, 20), weight(20), analyzeFor(5*time.Minute, ""), weight(50), baselineOf(0, 0), weight(99)},
		{weight(10), baselineOf(1, 10), pauseFor(10 * time.Second), analyzeFor(3*time.Minute, v1alpha1.OnInconclusiveAbort), weight(60), baselineOf(3, 40), weight(30), approve},
		{matchTesters(true), baselineOf(1, 5), weight(50), baselineOf(0, 0), pauseFor(5 * time.Second), baselineOf(1, 50), weight(50), weight(25)},
	}
}

// perhapsControlled has one of eight canaries by routes have a baseline. Its dice
// are its own, so that what is drawn otherwise is what it was without that.
func perhapsControlled(dice *rand.Rand, s v1alpha1.Strategy) v1alpha1.Strategy {
	if s.Canary == nil || len(s.Canary.Routes) == 0 || dice.IntN(8) > 0 {
		return s
	}
	c := *s.Canary
	c.Steps, c.Ramp, c.Analysis = pick(dice, controlled()...), nil, analysis()
	return v1alpha1.Strategy{Canary: &c}
}

// perhapsSticky has one of four canaries by routes keep its users. It goes through
// its weights from the least to the greatest then, as the schema asks.
func perhapsSticky(dice *rand.Rand, s v1alpha1.Strategy) v1alpha1.Strategy {
	if s.Canary == nil || len(s.Canary.Routes) == 0 || dice.IntN(4) > 0 {
		return s
	}
	c := *s.Canary
	c.Stickiness = &v1alpha1.Stickiness{MaxAge: &v1alpha1.Duration{Duration: pick(dice, time.Minute, time.Hour)}}
	var weights []int32
	for _, step := range c.Steps {
		if step.SetWeight != nil {
			weights = append(weights, *step.SetWeight)
		}
	}
	slices.Sort(weights)
	c.Steps = slices.Clone(c.Steps)
	for i := range c.Steps {
		if c.Steps[i].SetWeight != nil {
			c.Steps[i].SetWeight, weights = new(weights[0]), weights[1:]
		}
	}
	return v1alpha1.Strategy{Canary: &c}
}

// perhapsMarked has one of four canaries mark the pods of its roles.
func perhapsMarked(dice *rand.Rand, s v1alpha1.Strategy) v1alpha1.Strategy {
	if s.Canary == nil || dice.IntN(4) > 0 {
		return s
	}
	c := *s.Canary
	labels := func(role string) *v1alpha1.PodMetadata {
		return &v1alpha1.PodMetadata{Labels: map[string]string{"role": role}}
	}
	c.CanaryMetadata, c.StableMetadata = labels("canary"), pick(dice, nil, labels("stable"))
	return v1alpha1.Strategy{Canary: &c}
}

// strategyOf draws a strategy.
func strategyOf(rng *rand.Rand, plain, all [][]v1alpha1.Step) v1alpha1.Strategy {
	switch n := rng.IntN(100); {
	case n < 60:
		c := canaryOf(rng, pick(rng, all...))
		c.StableService, c.CanaryService, c.Routes = stableName, canaryName, routeRefs()
		if rng.IntN(4) == 0 {
			c.ScaleStable = v1alpha1.ScaleStableDynamic
		}
		if rng.IntN(8) == 0 {
			c.StableService, c.CanaryService, c.Service = "", "", callerName
		}
		return v1alpha1.Strategy{Canary: c}
	case n < 72:
		c := canaryOf(rng, pick(rng, plain...))
		c.Service = stableName
		c.MaxSurge, c.MaxUnavailable = pick(rng, nil, new(intstr.FromInt32(0)), new(intstr.FromInt32(1)), new(intstr.FromString("100%"))), pick(rng, nil, new(intstr.FromString("25%")))
		return v1alpha1.Strategy{Canary: c}
	case n < 92:
		return v1alpha1.Strategy{BlueGreen: blueGreenOf(rng)}
	}
	return v1alpha1.Strategy{}
}

func canaryOf(rng *rand.Rand, steps []v1alpha1.Step) *v1alpha1.CanaryStrategy {
	c := &v1alpha1.CanaryStrategy{
		ScaleDownDelaySeconds:      new(pick[int32](rng, 0, 5, 30)),
		AbortScaleDownDelaySeconds: pick(rng, new(int32(0)), new(int32(30)), new(int32(30)), nil),
		Steps:                      steps, Analysis: analysis(),
	}
	asks := slices.ContainsFunc(steps, func(s v1alpha1.Step) bool { return s.Analyze != nil })
	if !asks && rng.IntN(2) == 0 {
		c.Analysis = nil
	}
	if steps == nil && rng.IntN(2) == 0 {
		c.Ramp = &v1alpha1.Ramp{Weights: []int32{10, 50}, Every: v1alpha1.Duration{Duration: 2 * time.Minute}}
	}
	return c
}

func blueGreenOf(rng *rand.Rand) *v1alpha1.BlueGreenStrategy {
	b := &v1alpha1.BlueGreenStrategy{
		ActiveService: stableName, PreviewService: canaryName,
		ScaleDownDelaySeconds:      new(pick[int32](rng, 0, 30, 120)),
		AbortScaleDownDelaySeconds: pick(rng, new(int32(0)), new(int32(30)), nil),
		PreviewReplicas:            pick(rng, nil, new(int32(1)), new(int32(2))),
		AutoPromote:                pick(rng, nil, new(true), new(false)),
		AutoPromoteAfter:           pick(rng, nil, &v1alpha1.Duration{Duration: 20 * time.Second}),
	}
	if rng.IntN(2) == 0 {
		b.PostPromotion = &v1alpha1.PostPromotion{Analysis: *analysis(), Analyze: &v1alpha1.Analyze{MaxDuration: &v1alpha1.Duration{Duration: 3 * time.Minute}}}
	}
	if rng.IntN(2) == 0 {
		b.PrePromotion = &v1alpha1.PrePromotion{Analysis: pick(rng, nil, analysis()), Jobs: pick(rng, nil, []v1alpha1.JobStep{{}})}
	}
	switch rng.IntN(4) {
	case 0:
		b.Routes = routeRefs()
	case 1:
		if b.PrePromotion == nil || b.PrePromotion.Analysis == nil {
			b.PreviewService = ""
		}
	}
	return b
}

func strategyName(s v1alpha1.Strategy) string {
	switch {
	case s.BlueGreen != nil && len(s.BlueGreen.Routes) > 0:
		return "blue-green by route"
	case s.BlueGreen != nil:
		return "blue-green"
	case s.Canary != nil && len(s.Canary.Routes) > 0:
		return "canary by route"
	case s.Canary != nil:
		return "canary by pods"
	}
	return "rolling update"
}
