// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// maxMetrics is how many metrics an AnalysisRun may list.
const maxMetrics = 32

// Template is an AnalysisTemplate or a ClusterAnalysisTemplate.
type Template struct {
	// Kind and Name tell it from others.
	Kind v1alpha1.TemplateKind
	Name string
	// Spec is what it adds to an analysis.
	Spec v1alpha1.AnalysisTemplateSpec
}

// is reports whether a reference means a template.
func (t Template) is(ref v1alpha1.TemplateRef) bool {
	return t.Name == ref.Name && t.Kind == kindOf(ref)
}

func kindOf(ref v1alpha1.TemplateRef) v1alpha1.TemplateKind {
	return cmp.Or(ref.Kind, v1alpha1.KindAnalysisTemplate)
}

// reach lists the templates that an analysis builds on, each once, a template
// before those it builds on itself. What is referred to and not there is missing.
func builtOn(a *v1alpha1.Analysis, all []Template) (found []Template, missing []v1alpha1.TemplateRef) {
	waiting := slices.Clone(a.Templates)
	for len(waiting) > 0 {
		ref := waiting[0]
		waiting = waiting[1:]
		if slices.ContainsFunc(found, func(t Template) bool { return t.is(ref) }) {
			continue
		}
		i := slices.IndexFunc(all, func(t Template) bool { return t.is(ref) })
		if i < 0 {
			missing = append(missing, ref)
			continue
		}
		found = append(found, all[i])
		waiting = append(slices.Clone(all[i].Spec.Templates), waiting...)
	}
	return found, missing
}

// Compose gives what an analysis amounts to with the templates that it builds
// on. What is referred to and not among them is missing.
func Compose(a *v1alpha1.Analysis, among []Template) (whole v1alpha1.AnalysisTemplateSpec, missing []v1alpha1.TemplateRef) {
	reached, missing := builtOn(a, among)
	j := judgement(a, reached)
	whole = v1alpha1.AnalysisTemplateSpec{Preset: j.Preset, Objectives: j.Objectives, Metrics: metrics(a, reached)}
	for _, t := range reached {
		for _, arg := range t.Spec.Args {
			if !slices.ContainsFunc(whole.Args, func(x v1alpha1.TemplateArg) bool { return x.Name == arg.Name }) {
				whole.Args = append(whole.Args, arg)
			}
		}
	}
	return whole, missing
}

// metrics are the analysis' own and those of its templates, in the order written.
func metrics(a *v1alpha1.Analysis, templates []Template) []v1alpha1.Metric {
	all := slices.Clone(a.Metrics)
	for _, t := range templates {
		all = append(all, t.Spec.Metrics...)
	}
	return all
}

// judgement is the analysis' own, with what its templates add. What is said
// first counts.
func judgement(a *v1alpha1.Analysis, templates []Template) v1alpha1.Judgement {
	j := *a.Judgement.DeepCopy()
	for _, t := range templates {
		j.Preset = cmp.Or(j.Preset, t.Spec.Preset)
		o := t.Spec.Objectives.DeepCopy()
		switch {
		case o == nil:
		case j.Objectives == nil:
			j.Objectives = o
		default:
			j.Objectives.Availability = cmp.Or(j.Objectives.Availability, o.Availability)
			if j.Objectives.Latency == nil {
				j.Objectives.Latency = o.Latency
			}
		}
	}
	return j
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
// absent field. Those that lack nothing are vetted, so that a query which can't
// be asked is known before a release meets it.
func CheckAnalysis(r *v1alpha1.Rollout, templates []Template, vet Vet) []Problem {
	var found []Problem
	all := Analyses(r.Spec)
	for _, at := range slices.Sorted(maps.Keys(all)) {
		own := checkAnalysis(r, all[at], templates, at)
		if len(own) == 0 {
			own = vet.vetted(r, all[at], templates, at)
		}
		found = append(found, own...)
	}
	return found
}

func checkAnalysis(r *v1alpha1.Rollout, a *v1alpha1.Analysis, templates []Template, at string) []Problem {
	reached, missing := builtOn(a, templates)
	var found []Problem
	for _, ref := range missing {
		found = append(found, missingTemplate(r, a, ref, reached, at))
	}
	all := metrics(a, reached)
	seen := map[string]bool{}
	for _, m := range all {
		if seen[m.Name] {
			found = append(found, Problem{Field: at + ".metrics", Message: fmt.Sprintf("metric %s is defined twice, here or in a template; rename one", m.Name)})
		}
		seen[m.Name] = true
	}
	if len(all) > maxMetrics {
		found = append(found, Problem{Field: at + ".metrics", Message: fmt.Sprintf("%d metrics with those of the templates, at most %d; leave some out", len(all), maxMetrics)})
	}
	if j := judgement(a, reached); len(missing) == 0 && j.Preset == "" && (j.Objectives != nil || j.CompareLatency) {
		found = append(found, Problem{Field: at + ".preset", Message: "no template sets a preset, and objectives need one to know which series count requests; set it to your data plane's"})
	}
	return slices.Concat(found, missingArgs(a, reached, at), absentFields(r, a, at))
}

// absentFields finds arguments from fields that the Rollout does not have.
func absentFields(r *v1alpha1.Rollout, a *v1alpha1.Analysis, at string) []Problem {
	var found []Problem
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

// missingTemplate says which reference leads nowhere, and where it stands.
func missingTemplate(r *v1alpha1.Rollout, a *v1alpha1.Analysis, ref v1alpha1.TemplateRef, reached []Template, at string) Problem {
	p := Problem{Field: at + ".templates"}
	for i, own := range a.Templates {
		if own == ref {
			p.Field = fmt.Sprintf("%s.templates[%d].name", at, i)
		}
	}
	place := "in namespace " + r.Namespace
	if kindOf(ref) == v1alpha1.KindClusterAnalysisTemplate {
		place = "in the cluster"
	}
	p.Message = fmt.Sprintf("%s %s does not exist %s; create it or correct the name", kindOf(ref), ref.Name, place)
	for _, t := range reached {
		if slices.Contains(t.Spec.Templates, ref) {
			p.Message += fmt.Sprintf(" in %s %s", t.Kind, t.Name)
			break
		}
	}
	return p
}

func missingArgs(a *v1alpha1.Analysis, templates []Template, at string) []Problem {
	var found []Problem
	for _, t := range templates {
		for _, want := range t.Spec.Args {
			given := slices.ContainsFunc(a.Args, func(arg v1alpha1.Arg) bool { return arg.Name == want.Name })
			if want.Value == nil && !given {
				found = append(found, Problem{Field: at + ".args", Message: fmt.Sprintf("%s %s needs a value for argument %s; add it", t.Kind, t.Name, want.Name)})
			}
		}
	}
	return found
}
