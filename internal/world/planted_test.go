// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestPlantedBugs shows that the laws have teeth: a planner with a bug planted
// in it breaks one of them within a few schedules.
func TestPlantedBugs(t *testing.T) {
	const most = 1500 // schedules until it has to be caught
	tests := map[string]struct {
		reason string
		decide func(plan.Snapshot) plan.Plan
		laws   []int
	}{
		"scale down before confirmed": {
			reason: "pods of an aborted revision leave with the write that takes its weight, before the data plane has noticed",
			decide: hasty, laws: []int{1, 2},
		},
		"abort cleared by promote-full": {
			reason: "a full promotion of an aborted revision is obeyed",
			decide: forgetful, laws: []int{4},
		},
		"cursor advanced on intention": {
			reason: "a step counts as done when its weight is written, not when it is known to be served",
			decide: eager, laws: []int{5},
		},
		"baseline let go before confirmed": {
			reason: "the baseline's pods leave with the write that takes its share",
			decide: careless, laws: []int{1, 2},
		},
		"baseline before its endpoints": {
			reason: "the baseline gets its share with the step that asks for it",
			decide: rash, laws: []int{1, 2},
		},
		"users kept after an abort": {
			reason: "the write that takes an aborted revision's weight leaves its cookie",
			decide: clinging, laws: []int{3, 4},
		},
		"users kept at another weight": {
			reason: "users are bound at a weight that is below the one that they were drawn at",
			decide: greedy, laws: []int{2},
		},
		"an edit of steps passes a wait": {
			reason: "the cursor is a number, and the steps are what the spec says now",
			decide: numb, laws: []int{9},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := NewSchedules()
			if err != nil {
				t.Fatal(err)
			}
			s.decide = tc.decide
			for seed := uint64(1); seed <= most; seed++ {
				broken := &BrokenLaw{}
				if !errors.As(s.Play(seed, false).Err, &broken) {
					continue
				}
				lines := s.Play(seed, true).Transcript
				t.Logf("seed %d: %v\n%s", seed, broken, strings.Join(lines[max(0, len(lines)-8):], "\n"))
				for _, law := range tc.laws {
					if broken.Law == law {
						return
					}
				}
			}
			t.Errorf("%d schedules do not find that %s", most, tc.reason)
		})
	}
}

// hasty takes the pods of an aborted revision together with its weight.
func hasty(s plan.Snapshot) plan.Plan {
	p := plan.Decide(s)
	for _, a := range p.Actions {
		shift, ok := a.(plan.ShiftTraffic)
		if !ok || p.Status.Abort == nil || shift.Split.Canary > 0 {
			continue
		}
		for _, r := range s.Revisions {
			if r.Hash == p.Status.Abort.Revision && r.Replicas > 0 {
				p.Actions = append(p.Actions[:len(p.Actions):len(p.Actions)], plan.ScaleRevision{Name: r.Name, From: r.Replicas})
			}
		}
	}
	return p
}

// TestUnheeded: so has the law that requests are heeded. Proxies that nobody
// hears of do not follow the routes for long enough in few schedules.
func TestUnheeded(t *testing.T) {
	s, err := NewSchedules()
	if err != nil {
		t.Fatal(err)
	}
	told := scenarios()["silent-ignored"]
	broken := &BrokenLaw{}
	if err := told.play(told.stage(t, s.catalogue, false, blindly)); !errors.As(err, &broken) || broken.Law != 5 {
		t.Errorf("a planner that does not look at what the run counted ends with %v, want law 5 broken", err)
	}
}

// blindly looks at verdicts only.
func blindly(s plan.Snapshot) plan.Plan {
	s.Runs = slices.Clone(s.Runs)
	for i := range s.Runs {
		s.Runs[i].Spec.Subject = nil
	}
	return plan.Decide(s)
}

// careless takes the pods of a baseline together with its share.
func careless(s plan.Snapshot) plan.Plan {
	p := plan.Decide(s)
	for _, a := range p.Actions {
		if shift, ok := a.(plan.ShiftTraffic); !ok || shift.Split.Baseline > 0 || s.Traffic.Most(traffic.Baseline) == 0 {
			continue
		}
		for _, r := range s.Revisions {
			if _, is := plan.BaselineOf(r.Hash); is && r.Replicas > 0 {
				p.Actions = append(p.Actions[:len(p.Actions):len(p.Actions)], plan.ScaleRevision{Name: r.Name, From: r.Replicas})
			}
		}
	}
	return p
}

// rash gives the baseline its share as soon as a step asks for it.
func rash(s plan.Snapshot) plan.Plan {
	p := plan.Decide(s)
	step, steps := p.Status.CurrentStep, plan.Steps(s.Rollout.Spec)
	if step == nil || p.Status.Abort != nil || int(step.Index) >= len(steps) || len(s.Traffic.Requested) != 1 {
		return p
	}
	now, asked := s.Traffic.Requested[0], steps[step.Index].Baseline
	if asked == nil || now.Baseline > 0 || now.Canary+asked.Weight > 100 {
		return p
	}
	now.Baseline = asked.Weight
	p.Actions = append(p.Actions[:len(p.Actions):len(p.Actions)], plan.ShiftTraffic{Split: now.At(now.Canary)})
	return p
}

// clinging leaves the cookie of an aborted revision where its weight goes.
func clinging(s plan.Snapshot) plan.Plan {
	p := plan.Decide(s)
	for i, a := range p.Actions {
		shift, ok := a.(plan.ShiftTraffic)
		if ok && p.Status.Abort != nil && len(s.Traffic.Requested) == 1 && s.Traffic.Requested[0].Sticky != nil {
			shift.Split.Sticky = s.Traffic.Requested[0].Sticky
			p.Actions[i] = shift
		}
	}
	return p
}

// numb forgets which steps the cursor came by.
func numb(s plan.Snapshot) plan.Plan {
	if at := s.Rollout.Status.CurrentStep; at != nil {
		ro, step := *s.Rollout, *at
		step.Plan = ""
		ro.Status.CurrentStep = &step
		s.Rollout = &ro
	}
	return plan.Decide(s)
}

// greedy binds users at the half of the weight that the steps ask for.
func greedy(s plan.Snapshot) plan.Plan {
	p := plan.Decide(s)
	if len(p.Actions) > 0 || len(s.Traffic.Requested) != 1 || p.Status.Abort != nil {
		return p
	}
	if now := s.Traffic.Requested[0]; now.Sticky != nil && now.Canary > 1 && len(now.Sticky.Draws) == 0 {
		k := now.Sticky
		now = now.At(now.Canary / 2)
		now.Sticky = k
		p.Actions = append(p.Actions, plan.ShiftTraffic{Split: now})
	}
	return p
}

// forgetful lets promote-full clear an abort.
func forgetful(s plan.Snapshot) plan.Plan {
	p := plan.Decide(s)
	var cmd v1alpha1.Command
	raw := s.Rollout.Annotations[v1alpha1.CommandAnnotation]
	if s.Rollout.Status.Abort == nil || json.Unmarshal([]byte(raw), &cmd) != nil || cmd.Verb != v1alpha1.VerbPromoteFull {
		return p
	}
	if last := s.Rollout.Status.LastCommand; last == nil || last.ID != cmd.ID {
		p.Status.Abort = nil
	}
	return p
}

// eager moves the cursor on as soon as the weight of its step is asked for.
func eager(s plan.Snapshot) plan.Plan {
	p := plan.Decide(s)
	step := p.Status.CurrentStep
	if step == nil || p.Status.Abort != nil {
		return p
	}
	steps := plan.Steps(s.Rollout.Spec)
	for _, a := range p.Actions {
		shift, ok := a.(plan.ShiftTraffic)
		if ok && int(step.Index) < len(steps) && steps[step.Index].SetWeight != nil && shift.Split.Canary == *steps[step.Index].SetWeight {
			next := *step
			next.Index++
			p.Status.CurrentStep = &next
		}
	}
	return p
}
