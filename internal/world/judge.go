// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// before judges an action when it is about to be written: laws 1 to 3. It may
// rely on what its pass read, and nothing it read may have been wrong.
func (l *laws) before(p *pass, a plan.Action) {
	switch a := a.(type) {
	case plan.ShiftTraffic:
		l.shifts(p, a.Split)
	case plan.SelectRevision:
		l.selects(p, a)
	case plan.ScaleRevision:
		l.scales(p, a)
	case plan.DeleteRevision:
		l.checked[2]++
		if r, ok := l.w.live.named(a.Name); ok && (r.Replicas > 0 || len(l.w.pods.set(r.Hash).pods) > 0) {
			l.breaks(2, "deletes %s, which has %d replicas", l.w.name(r.Hash), r.Replicas)
		}
	case plan.ScaleWorkload:
		l.scalesWorkload(p, a)
	}
}

// shifts judges a new split: it is whole, and what rises finds endpoints.
func (l *laws) shifts(p *pass, want traffic.Split) {
	l.checked[3]++
	if err := want.Validate(); err != nil {
		l.breaks(3, "%v", err)
	}
	for slot := range slots {
		share := want.Of(slots[slot])
		if share > l.least(slot) {
			l.rises(p, slot, share)
		}
	}
}

// least is the smallest share that any route gives a slot now.
func (l *laws) least(slot int) int32 {
	least := int32(100)
	for _, r := range l.w.live.routes {
		least = min(least, r.split.Of(slots[slot]))
	}
	return least
}

func (l *laws) rises(p *pass, slot int, share int32) {
	l.checked[1]++
	l.checked[2]++
	ready, other, need := endpoints(p.read.services[slot]), endpoints(p.read.services[1-slot]), p.read.need(share)
	switch {
	case ready >= need, other == 0:
	case ready == 0:
		l.breaks(1, "gives %s %d %% without a ready endpoint, although the other slot has %d", slots[slot], share, other)
	case l.kept(p, slot):
		// Short by no doing of ours: as fast as it can carry.
	default:
		l.breaks(2, "gives %s %d %% with %d ready endpoints, which needs %d", slots[slot], share, ready, need)
	}
}

// kept reports whether a slot stands for a revision that is kept in full, or
// for the same one as the other slot.
func (l *laws) kept(p *pass, slot int) bool {
	svc, other, ro := p.read.services[slot], p.read.services[1-slot], p.read.rollout
	if svc.Selects == "" || other != nil && svc.Selects == other.Selects {
		return true
	}
	return svc.Selects == ro.Status.StableRevision && !dynamic(ro)
}

func endpoints(s *plan.Service) int32 {
	if s == nil {
		return 0
	}
	var sum int32
	for _, n := range s.Ready {
		sum += n
	}
	return sum
}

// selects judges a Service's new revision: it can carry what the Service gets.
func (l *laws) selects(p *pass, a plan.SelectRevision) {
	if a.Revision == "" || p.read.replicas() == 0 {
		return
	}
	l.checked[1]++
	l.checked[2]++
	for slot := range slots {
		svc := p.read.services[slot]
		if svc == nil || svc.Name != a.Service {
			continue
		}
		share := max(l.w.plane.most(slots[slot]), l.requested(slot))
		r, _ := p.read.set(a.Revision)
		switch {
		case share == 0, r.Ready >= p.read.need(share):
		case r.Ready == 0 && endpoints(svc) == 0:
		case r.Ready == 0:
			l.breaks(1, "points %s, which gets %d %%, at %s without a ready pod", a.Service, share, l.w.name(a.Revision))
		case endpoints(svc) > 0 && !(a.Revision == p.plan.Status.StableRevision && r.Replicas >= p.read.need(share)):
			l.breaks(2, "points %s, which gets %d %%, at %s with %d ready pods", a.Service, share, l.w.name(a.Revision), r.Ready)
		}
	}
}

// requested is the largest share that any route gives a slot now.
func (l *laws) requested(slot int) int32 {
	var most int32
	for _, r := range l.w.live.routes {
		most = max(most, r.split.Of(slots[slot]))
	}
	return most
}

// exposure is the share that pods of a revision may be getting: requested or
// still served, by way of a Service that selects it or of endpoints known to a proxy.
func (l *laws) exposure(hash string) int32 {
	var sum int32
	for slot := range slots {
		svc := l.w.live.services[slot]
		if svc == nil {
			continue
		}
		if svc.Selects == hash || !l.harmed && l.known(slot, hash) {
			sum += max(l.w.plane.most(slots[slot]), l.requested(slot))
		}
	}
	return min(sum, 100)
}

func (l *laws) known(slot int, hash string) bool {
	for n := range l.w.plane.proxies {
		if sends(l.w.plane.proxies[n].known[slot], hash) {
			return true
		}
	}
	return false
}

// scales judges law 2's other half: capacity leaves after its traffic.
func (l *laws) scales(p *pass, a plan.ScaleRevision) {
	r, ok := l.w.live.named(a.Name)
	if !ok || a.Replicas >= r.Replicas || !l.expectsTraffic() {
		return
	}
	l.checked[2]++
	if meansOf(p.read.rollout) == byReplicas {
		l.thins(p, r, a)
		return
	}
	share := l.exposure(r.Hash)
	if n := p.read.need(share); a.Replicas < n {
		l.breaks(2, "scales %s to %d although it may get %d %%, which needs %d", l.w.name(r.Hash), a.Replicas, share, n)
	}
}

// thins judges the same where the pods of all revisions are the split: what is
// left is ready, but for maxUnavailable.
func (l *laws) thins(p *pass, r plan.Revision, a plan.ScaleRevision) {
	var left, had int32
	for _, o := range p.read.sets {
		n := o.Available
		if o.Hash == r.Hash {
			had, n = n, min(n, a.Replicas)
		}
		left += n
	}
	if w := p.read.workload; w != nil {
		left += w.Available
	}
	want := p.read.replicas()
	if want -= spared(p.read.rollout, want); left < want && a.Replicas < had {
		l.breaks(2, "scales %s to %d, which leaves %d available pods of %d", l.w.name(r.Hash), a.Replicas, left, want)
	}
}

// scalesWorkload judges a Deployment's shrinking: ours are there for each pod that leaves.
func (l *laws) scalesWorkload(p *pass, a plan.ScaleWorkload) {
	if a.Replicas >= a.From {
		return
	}
	l.checked[2]++
	svc := p.read.services[0]
	ours := endpoints(svc)
	if svc != nil {
		ours -= svc.Ready[""]
	}
	if meansOf(p.read.rollout) == byReplicas { // no Service need be known
		ours = 0
		for _, r := range p.read.sets {
			ours += r.Ready
		}
	}
	if ours+a.Replicas < p.read.replicas() {
		l.breaks(2, "scales the Deployment to %d beside %d endpoints of ours", a.Replicas, ours)
	}
}

// returned judges law 4: after an undisturbed pass nothing is asked for an
// aborted revision beyond what stable, shrunk on demand, can't carry yet.
func (l *laws) returned(p *pass) {
	s := p.plan.Status
	if s.Abort == nil || s.Abort.Revision != s.CanaryRevision || p.read.rollout.DeletionTimestamp != nil {
		return
	}
	l.checked[4]++
	if l.unsteerable() || len(l.w.leaders) > 1 || !slices.Equal(generations(p.read.routes), generations(l.w.live.routes)) {
		return
	}
	var ready int32
	if svc := p.read.services[stableService]; svc != nil {
		ready = svc.Ready[s.StableRevision]
	}
	if ready == 0 || l.harmedAt >= p.began {
		return
	}
	switch meansOf(p.read.rollout) {
	case byRoute:
		if share := l.requested(canaryService); share > 0 && !dynamic(p.read.rollout) {
			l.breaks(4, "%s is aborted and stable has %d endpoints, but a route gives %d %%", l.w.name(s.CanaryRevision), ready, share)
		}
	case bySelector:
		svc := l.w.live.services[stableService]
		if r, _ := p.read.set(s.StableRevision); svc != nil && svc.Selects == s.CanaryRevision && r.Ready > 0 {
			l.breaks(4, "%s is aborted and stable has %d ready pods, but the active Service stands for it", l.w.name(s.CanaryRevision), r.Ready)
		}
	case byReplicas:
	}
}

// generations that the routes were written in by others than the pass itself
// are those it has read; by the pass itself, one more at most.
func generations(rs []route) []int64 {
	all := make([]int64, 0, len(rs))
	for _, r := range rs {
		all = append(all, r.generation-r.ours)
	}
	return all
}

// latch judges law 4: an abort holds for its revision until another release begins.
func (l *laws) latch(old, now *v1alpha1.RolloutStatus) {
	l.checked[4]++
	if old.Abort != nil && old.Release == now.Release {
		switch {
		case now.StableRevision == old.Abort.Revision:
			l.breaks(4, "%s was aborted and is promoted all the same", l.w.name(old.Abort.Revision))
		case now.Abort == nil && now.CanaryRevision == old.CanaryRevision:
			l.breaks(4, "the abort of %s is forgotten", l.w.name(old.Abort.Revision))
		}
	}
	if now.Abort == nil || old.Abort != nil && old.Abort.Revision == now.Abort.Revision && old.Release == now.Release {
		return
	}
	l.aborts++
	l.abortedAt, l.aborted = l.w.now, now.Abort.Revision
	l.capableAt = l.abortedAt
	if meansOf(l.w.live.rollout) == byReplicas {
		l.abortedAt = -1
	}
}

// cursor judges law 5.
func (l *laws) cursor(p *pass, old, now *v1alpha1.RolloutStatus) {
	l.checked[5]++
	index := stepOf(*now)
	switch {
	case now.CanaryRevision != "" && now.CanaryRevision == now.StableRevision:
		l.breaks(5, "%s is stable and walks steps", l.w.name(now.StableRevision))
	case old.Release == now.Release && old.CanaryRevision != "" && old.CanaryRevision != now.CanaryRevision && now.CanaryRevision != "":
		l.breaks(5, "%s takes the place of %s within one release", l.w.name(now.CanaryRevision), l.w.name(old.CanaryRevision))
	case old.Release == now.Release && index >= 0 && index < stepOf(*old):
		l.breaks(5, "the cursor goes back from step %d to %d within a release", stepOf(*old)+1, index+1)
	case old.Release != now.Release && index > 0 && p.read.replicas() > 0 && asks(p.read.rollout, index):
		l.breaks(5, "a new release begins at step %d", index+1)
	}
}

// asks reports whether any step before index asks for anything.
func asks(ro *v1alpha1.Rollout, index int32) bool {
	steps := plan.Steps(ro.Spec)
	if int(index) == len(steps) && ro.Spec.RollbackWindow != nil {
		return false
	}
	for _, s := range steps[:min(int(index), len(steps))] {
		if waits := s.SetWeight == nil && s.SetScale == nil && s.Mirror == nil && s.MatchRoute == nil; waits || s.SetWeight != nil && *s.SetWeight > 0 {
			return true
		}
	}
	return false
}

// reasons judges law 8: whatever is waited for is said.
func (l *laws) reasons(now *v1alpha1.RolloutStatus) {
	l.checked[8]++
	ready := apimeta.FindStatusCondition(now.Conditions, v1alpha1.ConditionReady)
	switch {
	case now.Message == "":
		l.breaks(8, "phase %s without a message", now.Phase)
	case ready != nil && ready.Reason == "":
		l.breaks(8, "condition Ready without a reason")
	}
}

// evidence judges law 9: what a pass counted as passed had been measured and passed.
func (l *laws) evidence(p *pass, old, now *v1alpha1.RolloutStatus) {
	from, to := stepOf(*old), stepOf(*now)
	if old.Release != now.Release || from < 0 || to <= from || p.read.replicas() == 0 || command(old) != command(now) || now.AnalysisSkipped != nil ||
		len(plan.Analyses(p.read.rollout.Spec)) == 0 {
		return
	}
	l.checked[9]++
	steps := plan.Steps(p.read.rollout.Spec)
	i := p.read.run(cmp.Or(analysisOf(old), analysisOf(now)))
	for step := from; step < to && int(step) < len(steps); step++ {
		if steps[step].Analyze != nil && (i < 0 || !answered(&p.read.runs[i], step) && !promotesUnproven(steps[step], &p.read.runs[i])) {
			l.breaks(9, "the analyze step %d is left without a passed answer to it", step+1)
		}
	}
	if i < 0 {
		return
	}
	run := p.read.runs[i]
	switch run.Status.Phase {
	case v1alpha1.AnalysisError, v1alpha1.AnalysisTerminated, v1alpha1.AnalysisFailed:
		l.breaks(9, "the cursor moves on although the AnalysisRun is %s", run.Status.Phase)
	}
	for _, m := range run.Status.Metrics {
		if m.Verdict == v1alpha1.MetricNoData {
			l.breaks(9, "the cursor moves on although metric %s has no data", m.Name)
		}
	}
}

func answered(run *v1alpha1.AnalysisRun, step int32) bool {
	a := run.Status.Answer
	return a != nil && a.Step == step && a.Verdict == v1alpha1.AnalysisPassed && !run.Spec.Stop &&
		run.Status.ObservedGeneration == run.Generation
}

func promotesUnproven(s plan.Step, run *v1alpha1.AnalysisRun) bool {
	return s.Analyze.OnInconclusive == v1alpha1.OnInconclusivePromote && run.Status.Answer != nil &&
		run.Status.Answer.Verdict == v1alpha1.AnalysisInconclusive
}

func command(s *v1alpha1.RolloutStatus) string {
	if s.LastCommand == nil {
		return ""
	}
	return s.LastCommand.ID
}

func analysisOf(s *v1alpha1.RolloutStatus) string {
	if s.Analysis == nil {
		return ""
	}
	return s.Analysis.Run
}

// difference says where two statuses differ; empty when they do not.
func difference(a, b v1alpha1.RolloutStatus) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil || string(x) == string(y) {
		return ""
	}
	i := 0
	for i < min(len(x), len(y)) && x[i] == y[i] {
		i++
	}
	from := max(0, i-60)
	return fmt.Sprintf("…%s… and …%s…", x[from:min(len(x), i+60)], y[from:min(len(y), i+60)])
}
