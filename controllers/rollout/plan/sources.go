// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Sources are the servers that an AnalysisRun asks, its credentials there, and what a
// lack of answers leads to. None of that is evidence, so a run under way follows the
// Rollout in it. What is judged, and how sure a verdict must be, stays as it was when the
// release began, see docs/design/0012-analysis-edited-under-way.md.
type Sources struct {
	// Prometheus is the server to ask; nil for the controller's own.
	Prometheus *v1alpha1.Prometheus
	// Loki is the server of metrics that ask for log lines.
	Loki *v1alpha1.Loki
	// Args are all of the run's; those from Secrets follow.
	Args []v1alpha1.ResolvedArg
	// OnNoData is what no answer for NoDataTimeout leads to.
	OnNoData v1alpha1.OnNoData
	// NoDataTimeout is how long none may come before that.
	NoDataTimeout v1alpha1.Duration
}

// SourcesOf reads them from the spec of a run.
func SourcesOf(spec v1alpha1.AnalysisRunSpec) Sources {
	return Sources{spec.Prometheus, spec.Loki, spec.Args, spec.OnNoData, spec.NoDataTimeout}
}

// Into writes them into the spec of a run.
func (s Sources) Into(spec *v1alpha1.AnalysisRunSpec) {
	spec.Prometheus, spec.Loki, spec.Args, spec.OnNoData, spec.NoDataTimeout = s.Prometheus, s.Loki, s.Args, s.OnNoData, s.NoDataTimeout
}

// differ names what two say differently, by the fields of an analysis.
func (s Sources) differ(o Sources) []string {
	return different(
		pair{"prometheus", s.Prometheus, o.Prometheus}, pair{"loki", s.Loki, o.Loki}, pair{"args", s.Args, o.Args},
		pair{"onNoData", s.OnNoData, o.OnNoData}, pair{"noDataTimeout", s.NoDataTimeout, o.NoDataTimeout},
	)
}

// redirect makes a run under way ask the servers that the Rollout names now.
func redirect(c cursor, f facts, run *v1alpha1.AnalysisRun, want v1alpha1.AnalysisRunSpec) []Action {
	has, now := SourcesOf(run.Spec), SourcesOf(want)
	now.Args = secretsFrom(has.Args, want.Args)
	changed := has.differ(now)
	if len(changed) == 0 {
		return nil
	}
	return []Action{RedirectRun{
		why(fmt.Sprintf("%s has another %s now; what was counted stays, and the next block is asked for there", analysisPath(c, f), strings.Join(changed, ", "))), run.Name, now,
	}}
}

// secretsFrom gives the arguments of a run, but with the Secrets that another list names
// for them. Their values stay the run's own: they are part of queries, and evidence for
// one query says nothing of another.
func secretsFrom(run, want []v1alpha1.ResolvedArg) []v1alpha1.ResolvedArg {
	all := slices.Clone(run)
	for i, a := range all {
		at := slices.IndexFunc(want, func(w v1alpha1.ResolvedArg) bool { return w.Name == a.Name })
		if at >= 0 && a.SecretKeyRef != nil && want[at].SecretKeyRef != nil {
			all[i].SecretKeyRef = want[at].SecretKeyRef
		}
	}
	return all
}

// unfollowed says what of an analysis has changed since its run began and does
// not reach it, and the remedy; empty when nothing has.
func unfollowed(c cursor, f facts) string {
	run, a := runAt(c, f), analysisAt(c, f)
	if run == nil || a == nil || c.mode(f) != forward {
		return ""
	}
	templates, missing := builtOn(a, f.Templates)
	if len(missing) > 0 {
		return "" // that is a problem, and said
	}
	has, j := run.Spec, judgement(a, templates)
	changed := different(
		pair{"preset", has.Preset, j.Preset}, pair{"objectives", has.Objectives, j.Objectives},
		pair{"falseAbortRate", has.FalseAbortRate, j.FalseAbortRate}, pair{"tolerance", has.Tolerance, j.Tolerance},
		pair{"maxBurnRate", has.MaxBurnRate, j.MaxBurnRate}, pair{"compareLatency", has.CompareLatency, j.CompareLatency},
		pair{"noise", has.Noise, j.Noise}, pair{"settle", has.Settle, j.Settle},
		pair{"metrics", has.Metrics, metrics(a, templates)}, pair{"args", has.Args, secretsFrom(args(c, f, templates), has.Args)},
		pair{"block", has.Block, duration(a.Block, defaultBlock)}, pair{"warmUp", has.WarmUp, duration(a.WarmUp, defaultWarmUp)},
		pair{"dryRun", has.DryRun, a.DryRun},
	)
	if len(changed) == 0 {
		return ""
	}
	return fmt.Sprintf("; this release is judged by the %s that it began with, not by what %s says now: to have that, abort and retry", strings.Join(changed, ", "), analysisPath(c, f))
}

// pair is two values of one field.
type pair struct {
	name string
	a, b any
}

// different names the fields whose values differ.
func different(pairs ...pair) []string {
	var all []string
	for _, p := range pairs {
		if !equality.Semantic.DeepEqual(p.a, p.b) {
			all = append(all, p.name)
		}
	}
	return all
}
