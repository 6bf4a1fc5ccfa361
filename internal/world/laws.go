// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// BrokenLaw is a law that did not hold.
type BrokenLaw struct {
	// Law is its number in the API's list; 0 is liveness.
	Law int
	// What was seen.
	What string
}

// Error implements error.
func (b *BrokenLaw) Error() string {
	return fmt.Sprintf("law %d (%s): %s", b.Law, lawNames[b.Law], b.What)
}

// lawNames in short, by number.
var lawNames = [...]string{
	"every release comes to rest",
	"no traffic without endpoints",
	"capacity before traffic, traffic before removal",
	"weights sum to 100",
	"abort returns everything to stable",
	"the cursor never goes back",
	"a settled Rollout causes no writes",
	"a killed controller changes nothing in the end",
	"every wait has a reason and a wake-up",
	"a missing measurement never passes",
}

// laws are the judges of a world. Who judges which law, and when:
//
//	law                                  judge        when
//	0  every release comes to rest       rest.go      when nothing is left to happen
//	1  no traffic without endpoints      serving.go   after every event, by what the proxies do
//	                                     writing.go   before each write of the controller
//	2  capacity before traffic,          serving.go   as law 1
//	   traffic before removal            writing.go   as law 1
//	3  weights sum to 100                writing.go   before each write of a split
//	4  an abort returns everything       abort.go     after every event, by the clock; at each
//	                                                  status; after each pass that did all it wanted
//	5  the cursor never goes back        statuses.go  at each status that is stored
//	   and moves on facts only           heeded.go
//	6  a settled Rollout writes nothing  settled.go   after one in ten passes, by a second look
//	                                     rest.go      when nothing is left to happen
//	7  a kill changes nothing            TestEveryWrite compares the ends
//	8  every wait has a reason           statuses.go  at each status that is stored
//	   and a wake-up                     rest.go      when nothing is left to happen
//	9  no evidence never passes          statuses.go  at each status that is stored
//	                                     unpassed.go  at each such status, and before each
//	                                                  write of a split
//
// court.go says when nobody can be blamed. docs/design/0009-simulation.md lists all that
// the laws let pass, and why.
type laws struct {
	*court
	serving servingLaws
	writing writingLaws
	abort   abortLaw
	status  statusLaws
	settled settledLaw
	// unpassed judges what edits of the steps could break.
	unpassed unpassedLaw
	rest     restLaw
}

func newLaws(w *World) laws {
	c := &court{w: w, harmedAt: -1, calmAt: -1, disturbedAt: -1}
	return laws{
		court:    c,
		serving:  servingLaws{court: c, lostAt: -1},
		writing:  writingLaws{c, map[string]int32{}},
		abort:    abortLaw{court: c, at: -1},
		status:   statusLaws{c},
		unpassed: unpassedLaw{court: c},
		settled:  settledLaw{court: c, dice: rand.New(rand.NewPCG(1, 2))},
		rest:     restLaw{court: c, edited: map[thing]time.Duration{}, theirs: map[thing]bool{}},
	}
}

// verdict judges the state of the world after an event.
func (l *laws) verdict() error {
	if l.belated() {
		l.harmed, l.calmAt = true, -1
	}
	l.watchSize()
	if l.expectsTraffic() {
		l.serving.judge()
		l.abort.judge()
	}
	if l.harmed && l.recovered() {
		l.harmed, l.leapt = false, false
	}
	if l.broken != nil {
		return l.broken
	}
	return nil
}

// signed judges what a stored status says, against the one before it.
func (l *laws) signed(p *pass, old, now *v1alpha1.RolloutStatus) {
	if !reflect.DeepEqual(old.Bindings, now.Bindings) {
		l.rest.letGo(p)
	}
	l.status.cursor(p, old, now)
	l.abort.latch(old, now)
	l.status.reasons(now)
	l.status.evidence(p, old, now)
	l.status.heeded(p, old, now)
	l.unpassed.left(p, old, now)
}

// done judges a pass that carried out all it wanted.
func (l *laws) done(p *pass) {
	l.abort.returned(p)
	l.settled.judge(p)
}
