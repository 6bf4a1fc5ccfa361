// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// The cursor is a number, so an edit of the steps may put another step under it, or
// none. What it was put at when it came there is therefore remembered, in
// status.currentStep.plan. While the steps say something else by now, the release is
// held: nobody has passed what it waited for there, and nobody has agreed to what
// stands there now. See docs/design/0017-steps-edited-under-way.md.

// allDone is remembered when all steps are: from then on the revision is promoted, and no
// edit of the steps means anything to its release.
const allDone = "done"

// Done reports whether all steps of the release in flight are, so that no promote is waited for.
func Done(ro *v1alpha1.Rollout) bool {
	at := ro.Status.CurrentStep
	return at != nil && (at.Plan == allDone || at.Plan == "" && int(at.Index) >= len(Steps(ro.Spec)))
}

// planUpTo identifies the steps as far as one of them.
func planUpTo(step int32, f facts) string {
	if int(step) >= len(f.strategy.steps) {
		return allDone
	}
	var gists []byte
	for _, s := range f.strategy.steps[:step+1] {
		gists = append(append(gists, s.gist()...), 0)
	}
	return digest(gists)
}

// gist is what must stay of a step that the release has come to. What gives the canary
// requests has to be what it was. Of what waits it is enough that it still waits for the
// same kind of answer: a time that was too long, or an address that was wrong, may be
// corrected while it waits. So may the number of pods, which gives nobody anything.
func (s Step) gist() string {
	switch {
	case s.SetWeight != nil:
		return "weight " + strconv.Itoa(int(*s.SetWeight))
	case s.SetScale != nil:
		return "scale"
	case s.moves():
		raw, err := json.Marshal(s.Step)
		if err != nil { // it came as JSON
			return ""
		}
		return string(raw)
	}
	return s.waitsFor()
}

// waitsFor names the kind of answer that a step waits for, and whether it goes on without.
func (s Step) waitsFor() string {
	kind := "gate"
	switch {
	case s.Pause != nil && s.Pause.For != nil:
		return "time"
	case s.Analyze != nil:
		if s.Analyze.OnInconclusive == v1alpha1.OnInconclusivePromote {
			return "analyze, else go on"
		}
		return "analyze"
	case s.Pause != nil:
		kind = "person"
	case s.Approve != nil:
		kind = "approve"
	case s.Job != nil:
		kind = "job"
	}
	if _, then, bounded := s.patience(); bounded && then == v1alpha1.OnTimeoutPromote {
		return kind + ", else go on"
	}
	return kind
}

// withEdits notes whether the steps up to the cursor's are others than those that it came
// by. A cursor that is past all of them stays so, however many there are by now.
func withEdits(c cursor, f facts) cursor {
	c.finished = c.plan == allDone
	c.edited = !c.finished && c.plan != "" && c.plan != planUpTo(c.step, f)
	return c
}

// currentStep is the cursor, with what to remember of the steps that it came by until
// somebody has agreed to others.
func currentStep(c cursor, f facts) *v1alpha1.CurrentStep {
	s := &v1alpha1.CurrentStep{
		Index: c.step, Position: c.position(f), Plan: c.plan, Weight: c.weight,
		Since: metav1.NewTime(c.since), WaitingSince: timed(c.waiting),
	}
	if !c.edited && !c.finished {
		s.Plan, s.Weight = planUpTo(c.step, f), weightUpTo(c.step, f)
	}
	return s
}

// weightUpTo is the share that the steps as far as one of them ask for.
func weightUpTo(step int32, f facts) int32 {
	steps := f.strategy.steps
	if int(step) >= len(steps) {
		return 100
	}
	for _, s := range slices.Backward(steps[:step+1]) {
		if s.SetWeight != nil {
			return *s.SetWeight
		}
	}
	return 0
}

// editedGate speaks while the steps up to the cursor's are others than those that it came by.
func editedGate(c cursor, f facts) (hold, bool) {
	if !c.edited || c.mode(f) != forward {
		return hold{}, false
	}
	return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonStepsEdited, fmt.Sprintf(
		"step %s: an edit of %s has changed the steps up to this one; put them back, promote to go on with %s, or abort",
		c.position(f), stepsPath(f), editedNext(c, f))}, true
}

// editedNext is what a promote goes on with after an edit.
func editedNext(c cursor, f facts) string {
	step, ok := c.current(f)
	if !ok {
		return fmt.Sprintf("the promotion, as there are only %d steps now", len(f.strategy.steps))
	}
	return fmt.Sprintf("what is step %d/%d now (%s)", c.step+1, len(f.strategy.steps), describe(step))
}

// stepsPath is where a person writes the steps.
func stepsPath(f facts) string {
	c := f.Rollout.Spec.Strategy.Canary
	switch {
	case c == nil:
		return f.strategy.at
	case c.Ramp != nil:
		return f.strategy.at + ".ramp"
	}
	return f.strategy.at + ".steps"
}

// heldInSize: the canary gets no more pods while it is held than its share needs, see
// [heldSize], and loses none by an edit of the steps.
func heldInSize(c cursor, f facts, grows bool) bool { return c.edited || grows && !c.free(f) }

// cantAcceptEdit refuses a promote that nobody stands for.
func cantAcceptEdit(cmd v1alpha1.Command) string {
	if cmd.By == "" {
		return "the steps were edited, and who goes on with them has to be known; name yourself in \"by\""
	}
	return ""
}

// acceptEdit goes on with the steps as they are by now, from the one under the cursor.
// It is noted like an approval, because it may stand for one.
func acceptEdit(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	message := fmt.Sprintf("step %s ended by %s, who goes on with %s", c.position(f), cmd.By, editedNext(c, f))
	fell := weightUpTo(c.step, f) < c.weight
	c = approved(c, f, cmd).at(c.step, f.Now)
	c.approvals[len(c.approvals)-1].Redraws = fell
	return c, message
}
