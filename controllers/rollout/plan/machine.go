// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Machine is the state machine as values, for those who draw it. Changing them
// changes nothing here.
type Machine struct {
	// Modes in the order of a release.
	Modes []Mode
	// Transitions in order of precedence.
	Transitions []Transition
	// Drifts are changes of mode that the facts bring about by themselves.
	Drifts []Transition
	// Commands are what people's wishes do to the cursor, by verb.
	Commands []Transition
	// Gates in the order in which they are asked.
	Gates []Gate
}

// Mode is what a release may be doing.
type Mode struct {
	// Name of the mode.
	Name string
	// Means says it in a sentence.
	Means string
}

// Transition leads from modes to modes.
type Transition struct {
	// Name of it.
	Name string
	// From and To are names of modes.
	From, To []string
	// Cause says when it is taken, Effect what it means.
	Cause, Effect string
}

// Gate holds a release.
type Gate struct {
	// Name of it.
	Name string
	// Speaks says when it holds.
	Speaks string
	// Says lists what it may give.
	Says []Standing
}

// Standing is how a Rollout stands, in words for machines.
type Standing struct {
	// Phase and Reason as the status shows them.
	Phase v1alpha1.RolloutPhase
	// Reason of condition Ready.
	Reason string
}

// modeMeanings has a sentence for every mode, in the order of a release.
var modeMeanings = []struct {
	mode  mode
	means string
}{
	{initial, "The first revision is brought up; there is nothing to compare it with, and it walks no steps."},
	{resting, "The stable revision carries all traffic and nothing is in flight."},
	{forward, "The canary walks its steps, or is being promoted after the last one."},
	{returning, "All traffic goes back to stable, or has gone back: the revision in flight was aborted, or the template is stable's again."},
	{rebinding, "The strategy names other Services or routes than those in force, nothing carries traffic beside stable, and the former ones are given back."},
}

// drifts are the changes of mode that no transition makes: a mode is derived
// from the facts anew at every look.
var drifts = []drift{
	{forward, returning, "the template is stable's again"},
	{initial, rebinding, "the strategy names other objects"},
	{resting, rebinding, "the strategy names other objects"},
	{returning, rebinding, "the strategy names other objects, and stable has all traffic, or the former routes are deleted and nobody follows them any more"},
}

type drift struct {
	from, to mode
	cause    string
}

// wishes say for people what each verb does to the cursor once it is accepted.
var wishes = map[v1alpha1.Verb]wish{
	v1alpha1.VerbPromote:      {[]mode{forward}, []mode{forward}, "The current pause, approval, gate or analysis ends and the next step begins. A step that waits for the cluster or a Job can't be ended so. After an edit of the steps up to the current one the release goes on with what is there now."},
	v1alpha1.VerbPromoteFull:  {[]mode{forward}, []mode{forward}, "All remaining steps are skipped; pods and traffic are waited for as ever. It clears no abort."},
	v1alpha1.VerbAbort:        {[]mode{forward}, []mode{returning}, "The abort is latched for this revision and release."},
	v1alpha1.VerbRetry:        {[]mode{returning}, []mode{forward}, "The aborted revision, still wanted, begins a release of its own at the first step."},
	v1alpha1.VerbPause:        {allModes(), allModes(), "Steps and weights stay as they are, and pods follow `spec.replicas` as far as the shares given so far need; an abort works meanwhile."},
	v1alpha1.VerbResume:       {allModes(), allModes(), "What a pause by command held goes on; the time does not count towards the deadline."},
	v1alpha1.VerbRestart:      {withStable(), withStable(), "Once nothing is in flight, every older pod of stable is evicted, one at a time."},
	v1alpha1.VerbUndo:         {withStable(), withStable(), "An earlier revision takes the template's place until the template changes; then the transitions see another wanted revision."},
	v1alpha1.VerbSkipAnalysis: {[]mode{forward}, []mode{forward}, "Analysis neither holds nor aborts this release any more."},
}

type wish struct {
	from, leads []mode
	effect      string
}

func allModes() []mode { return []mode{initial, resting, forward, returning, rebinding} }

func withStable() []mode { return []mode{resting, forward, returning, rebinding} }

// StateMachine gives the state machine.
func StateMachine() Machine {
	var m Machine
	for _, x := range modeMeanings {
		m.Modes = append(m.Modes, Mode{x.mode.String(), x.means})
	}
	for _, r := range transitions {
		m.Transitions = append(m.Transitions, Transition{r.name, named(r.from), named(r.leads), r.cause, r.effect})
	}
	for _, d := range drifts {
		m.Drifts = append(m.Drifts, Transition{From: named([]mode{d.from}), To: named([]mode{d.to}), Cause: d.cause})
	}
	for verb, w := range wishes {
		m.Commands = append(m.Commands, Transition{string(verb), named(w.from), named(w.leads), "", w.effect})
	}
	slices.SortFunc(m.Commands, func(a, b Transition) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range gates {
		gives := make([]Standing, len(g.gives))
		for i, s := range g.gives {
			gives[i] = Standing{s.phase, s.reason}
		}
		m.Gates = append(m.Gates, Gate{g.name, g.when, gives})
	}
	return m
}

func named(modes []mode) []string {
	names := make([]string, len(modes))
	for i, m := range modes {
		names[i] = m.String()
	}
	return names
}
