// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// settledLaw is law 6: what is as it should be causes no writes. After a pass that wanted
// nothing done it looks at the same world again, with everything in another order, and
// expects no action and the same status. rest.go judges the same law at the end, by writes.
type settledLaw struct {
	*court
	// dice are the law's own: judging draws no number from the world's, which would change
	// what happens next.
	dice *rand.Rand
}

// judge looks at one of ten passes that carried out all they wanted.
func (l *settledLaw) judge(p *pass) {
	if l.dice.IntN(10) == 0 {
		l.twice(p)
	}
}

// twice looks at the world once more.
func (l *settledLaw) twice(p *pass) {
	if len(p.plan.Actions) > 0 || !reflect.DeepEqual(p.read.rollout.Status.Bindings, p.plan.Status.Bindings) {
		return // what it wants next names objects that it has not read
	}
	l.checked[6]++
	again := p.read
	ro := *again.rollout
	ro.Status = p.plan.Status
	again.rollout = &ro
	again.sets = append([]plan.Revision(nil), again.sets...)
	l.dice.Shuffle(len(again.sets), func(i, j int) { again.sets[i], again.sets[j] = again.sets[j], again.sets[i] })
	look := *p
	look.read = again
	if ro.Status.StableRevision != p.read.rollout.Status.StableRevision {
		look.pods = nil // they are the former one's
	}
	second := l.w.decide(look.snapshot())
	if len(second.Actions) > 0 {
		l.breaks(6, "a second look at the same world wants: %s (%s)", second.Actions[0], second.Actions[0].Why())
	}
	if what := difference(p.plan.Status, second.Status); what != "" {
		l.breaks(6, "a second look at the same world writes another status: %s", what)
	}
}

// difference says where two statuses differ; empty when they do not.
func difference(a, b v1alpha1.RolloutStatus) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil || bytes.Equal(x, y) {
		return ""
	}
	i := 0
	for i < min(len(x), len(y)) && x[i] == y[i] {
		i++
	}
	from := max(0, i-60)
	return fmt.Sprintf("…%s… and …%s…", x[from:min(len(x), i+60)], y[from:min(len(y), i+60)])
}
