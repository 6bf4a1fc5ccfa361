// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Names of strategies, as status.strategy shows them.
const (
	StrategyCanary        = "Canary"
	StrategyBlueGreen     = "BlueGreen"
	StrategyRollingUpdate = "RollingUpdate"
)

// means is how traffic moves from one revision to another.
type means int

const (
	// byRoute: weights in route objects, over two Services.
	byRoute means = iota
	// bySelector: one Service's selector, all or nothing.
	bySelector
	// byReplicas: the ratio of available pods.
	byReplicas
)

// where names one of a strategy's analyses, by the steps at which it judges; empty for
// the only one of a canary.
type where string

const (
	prePromotion  where = "pre"
	postPromotion where = "post"
)

// strategy is what the three kinds of strategy have in common. The rest of the planner
// knows no kind, only this and the means.
type strategy struct {
	// at is the path of the strategy in the Rollout, for messages.
	at string
	// steps to walk.
	steps []Step
	// analyses of the release, by where they belong.
	analyses map[where]*v1alpha1.Analysis
	// sticky keeps users on the version first met; nil keeps nobody.
	sticky *v1alpha1.Stickiness
	// dynamic: stable's pods follow its share.
	dynamic bool
	// surge and unavailable bound the pods while they are replaced without routes.
	surge, unavailable intstr.IntOrString
	// scaleDownDelay is how long a revision keeps its pods once its traffic has left.
	scaleDownDelay time.Duration
	// abortDelay is the same for an aborted revision; nil keeps them.
	abortDelay *time.Duration
	// settle and timeout bound the wait between a write and its effect.
	settle, timeout time.Duration
	// stable and canary are put on the pods in these roles.
	stable, canary *v1alpha1.PodMetadata
}

// roleMetadata is what one role puts on its pods, and the field that says so.
type roleMetadata struct {
	field string
	*v1alpha1.PodMetadata
}

// metadata gives that of both roles.
func (s strategy) metadata() []roleMetadata {
	if s.at == "spec.strategy.blueGreen" {
		return []roleMetadata{{"activeMetadata", s.stable}, {"previewMetadata", s.canary}}
	}
	return []roleMetadata{{"stableMetadata", s.stable}, {"canaryMetadata", s.canary}}
}

// ends reports whether the last step is the promotion itself: it asks for all
// traffic, and no analysis has a say after it.
func (s strategy) lastPromotes() bool {
	last := s.steps[len(s.steps)-1].SetWeight
	return last != nil && *last == 100 && len(s.analyses) == 0
}

// Step is one entry of the plan in force.
type Step struct {
	v1alpha1.Step
	// Name of a step that a strategy implies; empty for one that a user wrote as a step.
	Name string

	where where
	// control is what the canary is compared with at this step.
	control control
}

// Steps gives the plan that a spec amounts to: the steps or ramp of a canary, or
// what a blue-green strategy implies.
func Steps(spec v1alpha1.RolloutSpec) []Step { return strategyOf(spec).steps }

func strategyOf(spec v1alpha1.RolloutSpec) strategy {
	switch {
	case spec.Strategy.Canary != nil:
		return canaryStrategy(*spec.Strategy.Canary)
	case spec.Strategy.BlueGreen != nil:
		return blueGreenStrategy(*spec.Strategy.BlueGreen)
	}
	return strategy{
		at: "spec.strategy", surge: intstr.FromString(defaultSurge), settle: defaultSettle, timeout: defaultConvergence,
		abortDelay: ptr.To(time.Duration(0)),
	}
}

func canaryStrategy(c v1alpha1.CanaryStrategy) strategy {
	s := strategy{
		at: "spec.strategy.canary", dynamic: c.ScaleStable == v1alpha1.ScaleStableDynamic,
		surge: ptr.Deref(c.MaxSurge, intstr.FromString(defaultSurge)), unavailable: ptr.Deref(c.MaxUnavailable, intstr.FromInt32(0)),
		scaleDownDelay: seconds(ptr.Deref(c.ScaleDownDelaySeconds, defaultScaleDownDelay)),
		abortDelay:     optionalSeconds(c.AbortScaleDownDelaySeconds),
		stable:         c.StableMetadata, canary: c.CanaryMetadata, sticky: c.Stickiness,
	}
	s.settle, s.timeout = convergence(c.Convergence)
	if c.Analysis != nil {
		s.analyses = map[where]*v1alpha1.Analysis{"": c.Analysis}
	}
	s.steps = make([]Step, 0, len(c.Steps))
	for _, step := range c.Steps {
		s.steps = append(s.steps, Step{Step: step})
	}
	if c.Ramp != nil {
		s.steps = ramp(*c.Ramp, c.Analysis != nil)
	}
	controls(s.steps)
	return s
}

// ramp spells the shorthand out.
func ramp(r v1alpha1.Ramp, analysed bool) []Step {
	var steps []Step
	for _, weight := range r.Weights {
		watch := v1alpha1.Step{Pause: &v1alpha1.Pause{For: &r.Every}}
		if analysed {
			watch = v1alpha1.Step{Analyze: &v1alpha1.Analyze{MaxDuration: &r.Every}}
		}
		steps = append(steps, Step{Step: v1alpha1.Step{SetWeight: ptr.To(weight)}}, Step{Step: watch})
	}
	return steps
}

func blueGreenStrategy(b v1alpha1.BlueGreenStrategy) strategy {
	s := strategy{
		at:             "spec.strategy.blueGreen",
		scaleDownDelay: seconds(ptr.Deref(b.ScaleDownDelaySeconds, defaultBlueDelay)),
		abortDelay:     optionalSeconds(b.AbortScaleDownDelaySeconds),
		stable:         b.ActiveMetadata, canary: b.PreviewMetadata,
		analyses: map[where]*v1alpha1.Analysis{}, steps: switchSteps(b),
	}
	s.settle, s.timeout = convergence(b.Convergence)
	if b.PrePromotion != nil && b.PrePromotion.Analysis != nil {
		s.analyses[prePromotion] = b.PrePromotion.Analysis
	}
	if b.PostPromotion != nil {
		s.analyses[postPromotion] = &b.PostPromotion.Analysis
	}
	return s
}

// switchSteps are the steps that a blue-green strategy implies: bring the
// preview up, test it, wait for permission, grow it, switch, watch.
func switchSteps(b v1alpha1.BlueGreenStrategy) []Step {
	full := v1alpha1.Step{SetScale: &v1alpha1.SetScale{Percent: ptr.To(int32(100))}}
	preview := full
	if b.PreviewReplicas != nil {
		preview = v1alpha1.Step{SetScale: &v1alpha1.SetScale{Replicas: b.PreviewReplicas}}
	}
	steps := []Step{{Step: preview, Name: "bring up the preview", where: prePromotion}}
	if pre := b.PrePromotion; pre != nil {
		for i := range pre.Jobs {
			steps = append(steps, Step{Step: v1alpha1.Step{Job: &pre.Jobs[i]}, Name: "pre-promotion job", where: prePromotion})
		}
		if pre.Analysis != nil {
			analyze := v1alpha1.Step{Analyze: cmp.Or(pre.Analyze, &v1alpha1.Analyze{})}
			steps = append(steps, Step{Step: analyze, Name: "pre-promotion analysis", where: prePromotion})
		}
	}
	switch {
	case !ptr.Deref(b.AutoPromote, true):
		steps = append(steps, Step{Step: v1alpha1.Step{Pause: &v1alpha1.Pause{}}, Name: "wait for the promotion", where: prePromotion})
	case b.AutoPromoteAfter != nil && b.AutoPromoteAfter.Duration > 0:
		steps = append(steps, Step{Step: v1alpha1.Step{Pause: &v1alpha1.Pause{For: b.AutoPromoteAfter}}, Name: "wait before the promotion", where: prePromotion})
	}
	steps = append(steps,
		Step{Step: full, Name: "grow the preview to full size", where: prePromotion},
		Step{Step: v1alpha1.Step{SetWeight: ptr.To(int32(100))}, Name: "switch all traffic", where: postPromotion})
	if post := b.PostPromotion; post != nil {
		analyze := v1alpha1.Step{Analyze: cmp.Or(post.Analyze, &v1alpha1.Analyze{})}
		steps = append(steps, Step{Step: analyze, Name: "post-promotion analysis", where: postPromotion})
	}
	return steps
}

func convergence(c *v1alpha1.Convergence) (settle, timeout time.Duration) {
	if c == nil {
		return defaultSettle, defaultConvergence
	}
	return duration(c.Settle, defaultSettle).Duration, duration(c.Timeout, defaultConvergence).Duration
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func optionalSeconds(n *int32) *time.Duration {
	if n == nil {
		return nil
	}
	return ptr.To(seconds(*n))
}

// pod counts resolve a number or percentage of n, percentages rounded up or down.
func podCount(v intstr.IntOrString, n int32, up bool) int32 {
	count, err := intstr.GetScaledValueFromIntOrPercent(&v, int(n), up)
	if err != nil { // the schema lets nothing else pass
		return 0
	}
	return int32(max(0, count))
}

func duration(d *v1alpha1.Duration, otherwise time.Duration) v1alpha1.Duration {
	if d == nil {
		return v1alpha1.Duration{Duration: otherwise}
	}
	return *d
}
