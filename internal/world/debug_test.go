// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/json"
	"fmt"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"os"
	"strconv"
	"testing"
)

func TestDebug(t *testing.T) {
	n, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	if n == 0 {
		return
	}
	s, _ := NewSchedules()
	w, h := s.draw(n, true)
	err := s.play(w, h)
	for range 25 {
		e, ok := w.next()
		if !ok {
			break
		}
		fmt.Println(clock(w.now), e.Name)
		e.Do()
	}
	w.words = s.catalogue.words()
	st, _ := json.MarshalIndent(w.live.rollout, "", " ")
	w.logf("%s", st)
	for _, x := range w.live.sets {
		w.logf("%+v", x)
	}
	for _, x := range w.live.services {
		w.logf("%+v", x)
	}
	for _, x := range w.live.runs {
		w.logf("%s %+v", x.Name, x.Status.Phase)
	}
	w.logf("%+v", w.live.routes)
	w.logf("%+v", w.live.jobs)
	for _, c := range w.leaders {
		fmt.Println("leader", c.queued, c.busy, c.again, clock(c.wakeAt), clock(w.now), c.stale, c.cache.routes)
	}
	if len(w.leaders) > 0 {
		c := w.leaders[0]
		p := &pass{c: c, read: w.live, now: c.now(), gate: c.gate}
		pl := plan.Decide(p.snapshot())
		w.logf("DECIDE wake %s actions %v message %s", pl.Wake, pl.Actions, pl.Status.Message)
		w.logf("diff %s", difference(w.live.rollout.Status, pl.Status))
	}
	for _, l := range w.lines[len(w.lines)-18:] {
		fmt.Println(l)
	}
	fmt.Println(err)
}
