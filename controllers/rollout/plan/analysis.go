// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const (
	defaultBlock         = 10 * time.Second
	defaultWarmUp        = 30 * time.Second
	defaultNoDataTimeout = 5 * time.Minute
	defaultMaxDuration   = 15 * time.Minute
)

// desireRun gives the AnalysisRun that should be under way: from the canary's
// first traffic, or the first analyze step, to the end of the release.
func desireRun(c cursor, f facts, split traffic.Split) *v1alpha1.AnalysisRunSpec {
	a := analysisAt(c, f)
	step, ok := c.current(f)
	asked := ok && step.Analyze != nil
	if a == nil || f.replicas == 0 || (split.Canary == 0 && !asked && runAt(c, f) == nil) {
		return nil
	}
	spec := v1alpha1.AnalysisRunSpec{
		Prometheus:    a.Prometheus,
		Metrics:       metrics(a, f.Templates),
		Args:          args(c, f),
		Block:         duration(a.Block, defaultBlock),
		WarmUp:        duration(a.WarmUp, defaultWarmUp),
		OnNoData:      cmp.Or(a.OnNoData, v1alpha1.OnNoDataHold),
		NoDataTimeout: duration(a.NoDataTimeout, defaultNoDataTimeout),
		DryRun:        a.DryRun,
	}
	if asked {
		spec.Question = &v1alpha1.Question{
			Step: c.step, Since: metav1.NewTime(c.since),
			MinDuration: duration(step.Analyze.MinDuration, 0),
			MaxDuration: duration(step.Analyze.MaxDuration, defaultMaxDuration),
		}
	}
	return &spec
}

// metrics are the analysis' own and those of its templates, in the order written.
func metrics(a *v1alpha1.Analysis, templates []v1alpha1.AnalysisTemplate) []v1alpha1.Metric {
	all := slices.Clone(a.Metrics)
	for _, ref := range a.Templates {
		for _, t := range templates {
			if t.Name == ref.Name {
				all = append(all, t.Spec.Metrics...)
			}
		}
	}
	return all
}

// args resolves what fills $(name): what every analysis has, then the
// templates' defaults, then the analysis' own values.
func args(c cursor, f facts) []v1alpha1.ResolvedArg {
	values := map[string]string{
		"rollout": f.Rollout.Name, "namespace": f.Rollout.Namespace,
		"canary": c.canary, "stable": c.stable,
		"canaryService": f.CanaryService.Name, "stableService": f.StableService.Name,
	}
	for _, t := range f.Templates {
		for _, arg := range t.Spec.Args {
			if arg.Value != nil {
				values[arg.Name] = *arg.Value
			}
		}
	}
	for _, arg := range analysisAt(c, f).Args {
		values[arg.Name] = resolve(c, f, arg)
	}
	resolved := make([]v1alpha1.ResolvedArg, 0, len(values))
	for name, value := range values {
		resolved = append(resolved, v1alpha1.ResolvedArg{Name: name, Value: value})
	}
	slices.SortFunc(resolved, func(a, b v1alpha1.ResolvedArg) int { return cmp.Compare(a.Name, b.Name) })
	return resolved
}

func resolve(c cursor, f facts, arg v1alpha1.Arg) string {
	switch {
	case arg.Value != nil:
		return *arg.Value
	case arg.ValueFrom == nil:
		return ""
	case arg.ValueFrom.Revision == v1alpha1.RoleStable:
		return c.stable
	case arg.ValueFrom.Revision == v1alpha1.RoleCanary:
		return c.canary
	case arg.ValueFrom.FieldRef != nil:
		value, _ := field(f.Rollout, arg.ValueFrom.FieldRef.FieldPath)
		return value
	}
	return ""
}

// field reads metadata.name, metadata.namespace, metadata.labels['k'] and metadata.annotations['k'].
func field(r *v1alpha1.Rollout, path string) (string, bool) {
	switch path {
	case "metadata.name":
		return r.Name, true
	case "metadata.namespace":
		return r.Namespace, true
	}
	for prefix, from := range map[string]map[string]string{"metadata.labels['": r.Labels, "metadata.annotations['": r.Annotations} {
		if key, ok := strings.CutPrefix(path, prefix); ok {
			value, found := from[strings.TrimSuffix(key, "']")]
			return value, found
		}
	}
	return "", false
}

// Analyses gives every analysis of a spec with its path in the Rollout.
func Analyses(spec v1alpha1.RolloutSpec) map[string]*v1alpha1.Analysis {
	all := map[string]*v1alpha1.Analysis{}
	if c := spec.Strategy.Canary; c != nil && c.Analysis != nil {
		all["spec.strategy.canary.analysis"] = c.Analysis
	}
	if b := spec.Strategy.BlueGreen; b != nil {
		if b.PrePromotion != nil && b.PrePromotion.Analysis != nil {
			all["spec.strategy.blueGreen.prePromotion.analysis"] = b.PrePromotion.Analysis
		}
		if b.PostPromotion != nil {
			all["spec.strategy.blueGreen.postPromotion.analysis"] = &b.PostPromotion.Analysis
		}
	}
	return all
}

// CheckAnalysis finds mistakes in analyses that only the templates they refer
// to can show: unknown templates, a metric named twice, a missing argument, an
// absent field.
func CheckAnalysis(r *v1alpha1.Rollout, templates []v1alpha1.AnalysisTemplate) []Problem {
	var found []Problem
	all := Analyses(r.Spec)
	for _, at := range slices.Sorted(maps.Keys(all)) {
		found = append(found, checkAnalysis(r, all[at], templates, at)...)
	}
	return found
}

func checkAnalysis(r *v1alpha1.Rollout, a *v1alpha1.Analysis, templates []v1alpha1.AnalysisTemplate, at string) []Problem {
	var found []Problem
	for i, ref := range a.Templates {
		if !slices.ContainsFunc(templates, func(t v1alpha1.AnalysisTemplate) bool { return t.Name == ref.Name }) {
			found = append(found, Problem{Field: fmt.Sprintf("%s.templates[%d].name", at, i), Message: fmt.Sprintf("AnalysisTemplate %s does not exist in namespace %s; create it or correct the name", ref.Name, r.Namespace)})
		}
	}
	seen := map[string]bool{}
	for _, m := range metrics(a, templates) {
		if seen[m.Name] {
			found = append(found, Problem{Field: at + ".metrics", Message: fmt.Sprintf("metric %s is defined twice, here or in a template; rename one", m.Name)})
		}
		seen[m.Name] = true
	}
	found = append(found, missingArgs(a, templates, at)...)
	for i, arg := range a.Args {
		if arg.ValueFrom == nil || arg.ValueFrom.FieldRef == nil {
			continue
		}
		if _, ok := field(r, arg.ValueFrom.FieldRef.FieldPath); !ok {
			found = append(found, Problem{Field: fmt.Sprintf("%s.args[%d].valueFrom.fieldRef", at, i), Message: fmt.Sprintf("the Rollout has no %s; add it or give a value", arg.ValueFrom.FieldRef.FieldPath)})
		}
	}
	return found
}

func missingArgs(a *v1alpha1.Analysis, templates []v1alpha1.AnalysisTemplate, at string) []Problem {
	var found []Problem
	for _, t := range templates {
		for _, want := range t.Spec.Args {
			given := slices.ContainsFunc(a.Args, func(arg v1alpha1.Arg) bool { return arg.Name == want.Name })
			if want.Value == nil && !given {
				found = append(found, Problem{Field: at + ".args", Message: fmt.Sprintf("AnalysisTemplate %s needs a value for argument %s; add it", t.Name, want.Name)})
			}
		}
	}
	return found
}

// whereAt says which of the release's analyses speaks at the cursor.
func whereAt(c cursor, f facts) where {
	if step, ok := c.current(f); ok {
		return step.where
	}
	if n := len(f.strategy.steps); n > 0 {
		return f.strategy.steps[n-1].where
	}
	return ""
}

// analysisAt is what speaks at the cursor; nil when there is none, or somebody skips it.
func analysisAt(c cursor, f facts) *v1alpha1.Analysis {
	if c.skipped != nil {
		return nil
	}
	return f.strategy.analyses[whereAt(c, f)]
}

// runAt finds the AnalysisRun that speaks for the cursor.
func runAt(c cursor, f facts) *v1alpha1.AnalysisRun {
	name := runName(c, f)
	for i := range f.Runs {
		if f.Runs[i].Name == name {
			return &f.Runs[i]
		}
	}
	return nil
}

// runName names the AnalysisRun that speaks for the cursor.
func runName(c cursor, f facts) string {
	return names.AnalysisRun(f.Rollout.Name, c.release, string(whereAt(c, f)))
}
