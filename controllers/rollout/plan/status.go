// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// status renders what is reported: the cursor, the facts that people look for,
// and the sentence that explains them.
func status(c cursor, f facts, d desired, h hold) v1alpha1.RolloutStatus {
	s := v1alpha1.RolloutStatus{
		ObservedGeneration: f.Rollout.Generation,
		ObservedTemplate:   cmp.Or(f.AsWritten, f.written),
		Phase:              h.phase,
		Strategy:           f.wanted.Strategy,
		Message:            h.message,
		StableRevision:     c.stable,
		CanaryRevision:     c.canary,
		Release:            c.release,
		Traffic:            trafficStatus(c, f),
		Revisions:          revisionStatuses(c, f, d),
		Abort:              c.abort,
		Bindings:           c.bindings,
		OriginalWeights:    originals(c, f),
		Paused:             c.paused,
		Undo:               c.undo,
		AnalysisSkipped:    c.skipped,
		Approvals:          c.approvals,
		RestartAt:          c.restart.asked,
		RestartedAt:        c.restart.done,
		Analysis:           analysisStatus(c, f),
		LastCommand:        c.command,
		History:            c.history,
		Conditions:         conditions(c, f, h),
		Selector:           f.Rollout.Status.Selector,
		Image:              f.Rollout.Status.Image,
	}
	s.StartedAt, s.AvailableSoFar = timed(c.startedAt), c.soFar
	if c.canary != "" && c.stable == "" {
		s.WaitingSince = timed(c.waiting)
	}
	if c.canary != "" && c.stable != "" {
		s.CurrentStep = currentStep(c, f)
	}
	if f.Selector != nil {
		s.Selector = selectorText(f.Selector)
	}
	if f.Template != nil && len(f.Template.Spec.Containers) > 0 {
		s.Image = f.Template.Spec.Containers[0].Image
	}
	updated := cmp.Or(f.Target, c.canary, c.stable) // no target is known where the template can't be had
	for _, r := range allRevisions(f) {
		s.Replicas += r.Current
		s.ReadyReplicas += r.Ready
		if r.Hash == updated {
			s.UpdatedReplicas = r.Current
		}
	}
	return s
}

// maxSummary is how many characters of a message a column has room for.
const maxSummary = 72

// summary is a message as a column of a list shows it: without the step, which
// has a column of its own, and cut where words end. While writes fail that is all
// it has room for.
func summary(s v1alpha1.RolloutStatus) string {
	text := s.Message
	if refused := refusal(s.Conditions); refused != "" {
		text = strings.TrimPrefix(refused, "; ")
	}
	if s.CurrentStep != nil {
		text = strings.TrimPrefix(text, "step "+s.CurrentStep.Position+": ")
	}
	runes := []rune(text)
	if len(runes) <= maxSummary {
		return text
	}
	cut := string(runes[:maxSummary])
	if at := strings.LastIndex(cut, " "); at > maxSummary/2 {
		cut = cut[:at]
	}
	return strings.TrimRight(cut, " ,;:") + " …"
}

// selectorText is a selector as kubectl takes it. One of nothing but labels, as
// nearly all are, is not parsed for that.
func selectorText(s *metav1.LabelSelector) string {
	if len(s.MatchLabels) == 0 || len(s.MatchExpressions) > 0 {
		return metav1.FormatLabelSelector(s)
	}
	pairs := make([]string, 0, len(s.MatchLabels))
	for key, value := range s.MatchLabels {
		pairs = append(pairs, key+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

func trafficStatus(c cursor, f facts) *v1alpha1.TrafficStatus {
	if f.means == byRoute && len(f.Traffic.Requested) == 0 {
		return lastSeen(f)
	}
	t := &v1alpha1.TrafficStatus{
		Requested: requestedWeights(c, f), Confirmed: confirmedWeights(c, f),
		Beside: beside(f.Traffic.Requested), Differ: disagree(f), AcceptedAt: timed(f.acceptedAt), Observed: f.observed,
	}
	if f.means == byRoute {
		t.Since, t.Edition = timed(f.shiftedAt), edition(f)
	}
	if len(t.Confirmed) > 0 {
		t.ConfirmedBy = evidence(f)
	}
	t.Endpoints = endpointsStatus(f)
	if f.means != byReplicas && (len(t.Confirmed) == 0 || len(f.Traffic.Requested) > 1) {
		t.Message = trafficText(f)
	}
	t.CanaryWeight = canaryWeight(c, f, t)
	return t
}

// evidence is what the confirmed split rests on.
func evidence(f facts) v1alpha1.Evidence {
	switch {
	case f.means == bySelector:
		return v1alpha1.EvidenceEndpoints
	case f.means == byReplicas:
		return v1alpha1.EvidencePods
	case f.sight == agreeing:
		return v1alpha1.EvidenceObservedShare
	case f.Traffic.Silent:
		return v1alpha1.EvidenceSettleTime
	}
	return v1alpha1.EvidenceRouteStatus
}

// canaryWeight is the share to print: the one asked for, or where pods are the split the one there is.
func canaryWeight(c cursor, f facts, t *v1alpha1.TrafficStatus) int32 {
	shown := t.Requested
	if f.means == byReplicas {
		shown = t.Confirmed
	}
	var weight int32
	for _, w := range shown {
		if w.Revision == c.canary && c.canary != "" {
			weight += w.Weight
		}
	}
	return weight
}

func endpointsStatus(f facts) []v1alpha1.ServiceEndpoints {
	var all []v1alpha1.ServiceEndpoints
	for _, slot := range []traffic.Slot{traffic.Canary, traffic.Stable, traffic.Baseline} {
		if l, ok := f.listed.in(slot); ok {
			all = append(all, v1alpha1.ServiceEndpoints{
				Service: f.slot(slot).Name, Revision: l.revision, Ready: l.ready, Since: metav1.NewTime(l.since), Before: l.before, Ending: l.ending, Evicted: l.evicted,
			})
		}
	}
	return all
}

// lastSeen keeps what the routes carried before they could no longer be read.
// Nothing of it counts as confirmed. Endpoints are seen without them: a managed
// route is made only once they have settled. Where they are all deleted, and left for
// others, it counts since when.
func lastSeen(f facts) *v1alpha1.TrafficStatus {
	old, endpoints := f.Rollout.Status.Traffic, endpointsStatus(f)
	if routesLeaving(f) {
		return &v1alpha1.TrafficStatus{Endpoints: endpoints, Since: timed(f.shiftedAt), Message: trafficText(f)}
	}
	if old == nil && len(endpoints) == 0 {
		return nil
	}
	if old == nil || len(old.Requested) == 0 {
		return &v1alpha1.TrafficStatus{Endpoints: endpoints, Message: trafficText(f)}
	}
	t := old.DeepCopy()
	t.Endpoints = endpoints
	t.Confirmed, t.ConfirmedBy, t.Observed, t.AcceptedAt, t.Message = nil, "", nil, nil, "the routes can't be read; these are the weights last seen"
	return t
}

// revisionStatuses lists the revisions with pods and those with a role, newest first.
func revisionStatuses(c cursor, f facts, d desired) []v1alpha1.RevisionStatus {
	var all []v1alpha1.RevisionStatus
	for _, r := range f.Revisions {
		s := v1alpha1.RevisionStatus{
			Hash: r.Hash, Number: r.Number, Role: role(c, r.Hash), Images: r.Images,
			Replicas: r.Replicas, ReadyReplicas: r.Ready, AvailableReplicas: r.Available,
			KeptSince: timed(d.kept[r.Hash].since),
			Shrunk:    r.Hash == c.stable && (f.strategy.dynamic || c.stable == f.Rollout.Status.StableRevision && f.stableShort()),
		}
		if s.Role == v1alpha1.RoleRetired && r.Replicas == 0 && r.Current == 0 {
			continue
		}
		if at, ok := d.retired[r.Hash]; ok {
			t := metav1.NewTime(at)
			s.ScaleDownAt = &t
		}
		all = append(all, s)
	}
	slices.Reverse(all)
	for _, r := range f.baselines {
		all = append(all, v1alpha1.RevisionStatus{
			Hash: r.Hash, Role: v1alpha1.RoleBaseline, Images: r.Images,
			Replicas: r.Replicas, ReadyReplicas: r.Ready, AvailableReplicas: r.Available, KeptSince: timed(d.kept[r.Hash].since),
		})
	}
	return all
}

func role(c cursor, hash string) v1alpha1.RevisionRole {
	switch hash {
	case c.stable:
		return v1alpha1.RoleStable
	case c.canary:
		return v1alpha1.RoleCanary
	}
	if _, is := BaselineOf(hash); is {
		return v1alpha1.RoleBaseline
	}
	return v1alpha1.RoleRetired
}

// analysisStatus points at the run. It repeats the run's words only when they
// are final or hold the release: a copy of every measurement would cost a write each.
func analysisStatus(c cursor, f facts) *v1alpha1.AnalysisStatus {
	run := runAt(c, f)
	if run == nil {
		return nil
	}
	s := &v1alpha1.AnalysisStatus{Run: run.Name, Phase: cmp.Or(run.Status.Phase, v1alpha1.AnalysisPending)}
	if run.Status.CompletedAt != nil {
		s.Message = run.Status.Message
	}
	return s
}

// shareOf gives the split's share that reaches a revision, in percent.
func shareOf(f facts, s traffic.Split, revision string) int32 {
	var share int32
	if f.StableService.Selects == revision {
		share += s.Stable
	}
	if f.CanaryService.Selects == revision {
		share += s.Canary
	}
	if f.BaselineService.Selects == revision {
		share += s.Baseline
	}
	return share
}
