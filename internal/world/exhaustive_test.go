// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestEveryWrite plays each scenario once for each write that the controller
// makes in it and for each fate of that write: killed right before it and right
// after it, and a conflict; with -every-fate also a refusal and a lost answer.
// Every law is checked after every event, and the world has to end as the
// undisturbed one does (law 7).
func TestEveryWrite(t *testing.T) {
	c := catalogue(t)
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm, h := s.stage(t, c, false, nil)
			if err := s.play(calm, h); err != nil {
				t.Fatalf("undisturbed: %v", err)
			}
			writes, want := calm.mischief.writes, calm.fingerprint()
			for n := 1; n <= writes; n++ {
				for _, f := range fates() {
					disturbed := func(transcript bool) (*World, error) {
						w, h := s.stage(t, c, transcript, nil)
						w.mischief.script = func(i int) fate { return only(i == n, f) }
						err := s.play(w, h)
						if got := w.fingerprint(); err == nil && got != want {
							err = w.laws.fails(7, "ends as\n%s\ninstead of\n%s", got, want)
						}
						return w, err
					}
					if _, err := disturbed(false); err != nil {
						w, _ := disturbed(true)
						t.Errorf("write %d of %d %s: %v\n%s", n, writes, f, err, strings.Join(w.lines, "\n"))
						return
					}
				}
			}
			t.Logf("%d writes, each with %d fates", writes, len(fates()))
		})
	}
}

var everyFate = flag.Bool("every-fate", false, "have writes also be refused, and their answers lost")

func fates() []fate {
	if *everyFate {
		return []fate{conflicts, refused, answerLost, killedBefore, killedAfter}
	}
	return []fate{conflicts, killedBefore, killedAfter}
}

func only(this bool, f fate) fate {
	if this {
		return f
	}
	return done
}

// fingerprint is everything that has to be the same in the end, whatever
// happened on the way: neither times nor the number of attempts.
func (w *World) fingerprint() string {
	var b strings.Builder
	if r := w.live.rollout; r != nil {
		s := r.Status
		fmt.Fprintf(&b, "%s stable %s, canary %s, release %d", s.Phase, w.name(s.StableRevision), w.name(s.CanaryRevision), s.Release)
		if s.Abort != nil {
			fmt.Fprintf(&b, ", %s aborted (%s)", w.name(s.Abort.Revision), s.Abort.Reason)
		}
		for _, o := range s.History {
			fmt.Fprintf(&b, ", %s %s", w.name(o.Revision), o.Cause)
		}
		if s.LastCommand != nil {
			fmt.Fprintf(&b, ", command %s %s", s.LastCommand.Verb, s.LastCommand.Result)
		}
		fmt.Fprintf(&b, "\nundo %t, paused %t, bindings %+v, finalizers %v", s.Undo != nil, s.Paused != nil, s.Bindings, r.Finalizers)
	}
	for _, r := range w.live.sets {
		fmt.Fprintf(&b, "\n%s %d/%d, number %d", w.name(r.Hash), r.Available, r.Replicas, r.Number)
	}
	for i, svc := range w.live.services {
		if svc != nil {
			fmt.Fprintf(&b, "\nService %d for %q lists %d", i, svc.Selects, len(w.endpoints.listed[i]))
		}
	}
	for _, r := range w.live.routes {
		fmt.Fprintf(&b, "\nroute %s", r.split)
	}
	for _, r := range w.live.runs {
		fmt.Fprintf(&b, "\nrun %s stopped %t, done %t, failed %t", r.Name, r.Spec.Stop, r.Status.CompletedAt != nil, r.Status.Phase == v1alpha1.AnalysisFailed)
	}
	if d := w.live.workload; d != nil {
		fmt.Fprintf(&b, "\nDeployment %d/%d, taken over %t", d.Available, d.Replicas, d.Before != nil)
	}
	return b.String()
}
