// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/presets"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// arms are the values that tell canary from stable in a template.
type arms map[string]string

// of are the variables of one arm: whatever tells the two apart is the value that was given.
func (a arms) of(arm string) judge.Variables {
	value := a[arm]
	return judge.Variables{"arm": value, "revision": value, "service": value, "workload": value, "podRegex": regexp.QuoteMeta(value) + "-.+"}
}

// withArms fills in the sides that were not named by their own names.
func withArms(given map[string]string) (arms, error) {
	all := arms{"canary": "canary", "stable": "stable"}
	for name, value := range given {
		if _, known := all[name]; !known || value == "" {
			return nil, fmt.Errorf("--arm %s=%s: must be canary=VALUE or stable=VALUE", name, value)
		}
		all[name] = value
	}
	return all, nil
}

// chooseTemplate gives one template of the files of -f, with those that it
// builds on. A name chooses among several; without one it is the only one that
// no other builds on.
func chooseTemplate(all []document, name string) (v1alpha1.AnalysisTemplateSpec, error) {
	var none v1alpha1.AnalysisTemplateSpec
	there, err := templatesOf(all)
	if err != nil {
		return none, err
	}
	chosen := slices.DeleteFunc(slices.Clone(there), func(t plan.Template) bool {
		return name != "" && t.Name != name || name == "" && builtOn(t, there)
	})
	switch {
	case len(there) == 0:
		return none, fmt.Errorf("the files of -f hold no AnalysisTemplate or ClusterAnalysisTemplate of %s%s; give the one to replay",
			v1alpha1.GroupVersion, butHold(all))
	case len(chosen) == 0:
		return none, fmt.Errorf("the files of -f hold no template %s, but %s", name, namesOf(there))
	case len(chosen) > 1:
		return none, fmt.Errorf("the files of -f hold several templates: %s; name the one to replay: kubectl sluice backtest %s -f FILE …",
			namesOf(chosen), chosen[0].Name)
	}
	t := chosen[0]
	ref := v1alpha1.TemplateRef{Kind: t.Kind, Name: t.Name}
	whole, missing := plan.Compose(&v1alpha1.Analysis{Templates: []v1alpha1.TemplateRef{ref}}, there)
	if len(missing) > 0 {
		return none, fmt.Errorf("%s %s builds on template %s, which the files of -f do not hold; add its file by another -f", t.Kind, t.Name, missing[0].Name)
	}
	return whole, nil
}

func templatesOf(all []document) ([]plan.Template, error) {
	var there []plan.Template
	for _, d := range all {
		if !d.isTemplate() {
			continue
		}
		t, err := d.template()
		if err != nil {
			return nil, err
		}
		there = append(there, t)
	}
	return there, nil
}

func namesOf(all []plan.Template) string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}

// builtOn reports whether another template builds on t.
func builtOn(t plan.Template, all []plan.Template) bool {
	return slices.ContainsFunc(all, func(other plan.Template) bool {
		return slices.ContainsFunc(other.Spec.Templates, func(ref v1alpha1.TemplateRef) bool {
			return ref.Name == t.Name && cmp.Or(ref.Kind, v1alpha1.KindAnalysisTemplate) == t.Kind
		})
	})
}

// butHold says what there is in place of what was looked for.
func butHold(all []document) string {
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf(", but %s %s of %s", all[0].GetKind(), all[0].GetName(), all[0].GetAPIVersion())
}

// question is one metric of a template, ready to be asked of a server.
type question struct {
	name string
	// objective is the share that must be good; 0 is none.
	objective float64
	// canary and stable are what is counted; stable is zero if there is none.
	canary, stable selectors
	// bound makes it one of durations, in the unit of the histogram.
	bound   float64
	targets []string
	// threshold and scalar are the kinds that count nothing.
	threshold *v1alpha1.Metric
	scalar    *scalarQuestion
}

// selectors are those of one arm.
type selectors struct {
	total, bad, histogram, present string
}

// scalarQuestion is a number of either arm.
type scalarQuestion struct {
	canary, stable string
	tolerance      float64
	hold           bool
}

// sources are what a template needs to become questions.
type sources struct {
	arms      arms
	args      map[string]string
	namespace string
}

// questions turns a template into what to ask.
func (s sources) questions(t v1alpha1.AnalysisTemplateSpec) ([]question, error) {
	args, err := s.arguments(t.Args)
	if err != nil {
		return nil, err
	}
	all, err := s.objectives(t)
	if err != nil {
		return nil, err
	}
	for _, m := range t.Metrics {
		q, err := s.metric(m, args)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", m.Name, err)
		}
		all = append(all, q)
	}
	if len(all) == 0 {
		return nil, errors.New("it has neither objectives nor metrics")
	}
	return all, nil
}

// arguments are the values of a template's args, and the names that queries always know.
func (s sources) arguments(of []v1alpha1.TemplateArg) ([]v1alpha1.ResolvedArg, error) {
	values := map[string]string{
		"canary": s.arms["canary"], "stable": s.arms["stable"],
		"canaryService": s.arms["canary"], "stableService": s.arms["stable"], "namespace": s.namespace,
	}
	for _, a := range of {
		if a.Value != nil {
			values[a.Name] = *a.Value
		}
	}
	maps.Copy(values, s.args)
	for _, a := range of {
		if _, given := values[a.Name]; !given {
			return nil, fmt.Errorf("arg %q has no value; give one with --arg %s=VALUE", a.Name, a.Name)
		}
	}
	var all []v1alpha1.ResolvedArg
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, v1alpha1.ResolvedArg{Name: name, Value: values[name]})
	}
	return all, nil
}

func (s sources) metric(m v1alpha1.Metric, args []v1alpha1.ResolvedArg) (question, error) {
	q := question{name: m.Name}
	canary, stable := filler{s.arms.of("canary"), args}, filler{s.arms.of("stable"), args}
	switch {
	case m.Proportion != nil:
		p := m.Proportion
		q.targets = p.TargetLabels
		if m.Objective != "" {
			share, err := asShare(string(m.Objective))
			if err != nil {
				return q, fmt.Errorf("objective: %w", err)
			}
			q.objective = share
		}
		var err error
		if q.canary, err = counters(*p, canary); err != nil {
			return q, err
		}
		if q.stable, err = counters(*p, stable); err != nil {
			return q, err
		}
		if q.stable == q.canary {
			q.stable = selectors{}
		}
		return q, nil
	case m.Scalar != nil:
		return s.scalar(q, *m.Scalar, canary, stable)
	case m.Threshold != nil:
		filled, err := judge.Fill(m, canary.arm, args)
		q.threshold = &filled
		return q, err //nolint:wrapcheck // it names field and remedy
	}
	return q, errors.New("can't be replayed, for it is no query to Prometheus; leave it out of the file")
}

func (s sources) scalar(q question, m v1alpha1.Scalar, canary, stable filler) (question, error) {
	tolerance, err := asShare(string(m.Tolerance))
	if m.Tolerance == "" {
		tolerance, err = 0.25, nil
	}
	if err != nil {
		return q, fmt.Errorf("scalar.tolerance: %w", err)
	}
	q.scalar = &scalarQuestion{tolerance: tolerance, hold: m.OnFail != v1alpha1.OnFailAbort}
	if q.scalar.canary, err = canary.fill("scalar.query", m.Query); err != nil {
		return q, err
	}
	q.scalar.stable, err = stable.fill("scalar.query", m.Query)
	return q, err
}

// counters are the selectors of a proportion for one arm.
func counters(p v1alpha1.Proportion, f filler) (selectors, error) {
	total, err := f.fill("proportion.total", p.Total)
	if err != nil {
		return selectors{}, err
	}
	bad, err := f.fill("proportion.bad", p.Bad)
	return selectors{total: total, bad: bad, present: total}, err
}

// filler is what the queries of one arm are filled with.
type filler struct {
	arm  judge.Variables
	args []v1alpha1.ResolvedArg
}

// fill fills a query as a controller does. The error names the field.
func (f filler) fill(field, query string) (string, error) {
	m, err := judge.Fill(v1alpha1.Metric{Threshold: &v1alpha1.Threshold{Query: query}}, f.arm, f.args)
	if err != nil {
		return "", fmt.Errorf("%s: %s", field, strings.TrimPrefix(err.Error(), `metric "": threshold.query: `))
	}
	return m.Threshold.Query, nil
}

// objectives are asked by a preset, for which the arms' values are the names of
// Services, of ReplicaSets and of revisions at once: each preset takes the one it knows.
func (s sources) objectives(t v1alpha1.AnalysisTemplateSpec) ([]question, error) {
	wanted, err := objectivesOf(t.Objectives)
	switch {
	case err != nil || len(wanted) == 0:
		return nil, err
	case t.Preset == "":
		return nil, errors.New("it has objectives but no preset; set spec.preset to the data plane's")
	}
	arm := func(name string) presets.Arm {
		return presets.Arm{Service: s.arms[name], Workload: s.arms[name], Revision: s.arms[name]}
	}
	of := presets.Subject{Namespace: s.namespace, Service: s.args["service"], Canary: arm("canary"), Stable: arm("stable")}
	metrics, err := presets.Metrics(string(t.Preset), of, wanted)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the preset and the remedy
	}
	var all []question
	for _, m := range metrics {
		side := func(x presets.Series) selectors { return selectors{x.Total, x.Bad, x.Histogram, m.Present} }
		all = append(all, question{
			name: m.Name, objective: m.Good, canary: side(m.Canary), stable: side(m.Stable), bound: m.Bound, targets: m.TargetLabels,
		})
	}
	return all, nil
}

func objectivesOf(o *v1alpha1.Objectives) ([]presets.Objective, error) {
	if o == nil {
		return nil, nil
	}
	var all []presets.Objective
	if o.Availability != "" {
		share, err := asShare(string(o.Availability))
		if err != nil {
			return nil, fmt.Errorf("objectives.availability: %w", err)
		}
		all = append(all, presets.Objective{Name: "availability", Good: share})
	}
	if o.Latency == nil {
		return all, nil
	}
	for _, l := range []struct {
		name  string
		share float64
		bound *v1alpha1.Duration
	}{
		{"p50", 0.5, o.Latency.P50}, {"p75", 0.75, o.Latency.P75}, {"p90", 0.9, o.Latency.P90},
		{"p95", 0.95, o.Latency.P95}, {"p99", 0.99, o.Latency.P99}, {"p99.9", 0.999, o.Latency.P999},
	} {
		if l.bound != nil {
			all = append(all, presets.Objective{Name: "latency-" + l.name, Good: l.share, Within: l.bound.Duration})
		}
	}
	return all, nil
}

// asShare reads 99.9% as 0.999.
func asShare(text string) (float64, error) {
	digits, ok := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || f < 0 {
		return 0, fmt.Errorf("%q is no percentage such as 99.9%%", text)
	}
	return f / 100, nil
}
