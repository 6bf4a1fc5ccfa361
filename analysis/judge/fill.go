// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Check reports why a run can't be carried out as it is written: an unknown
// variable, bounds that no value meets, a dry run of what is not there. Waiting
// does not mend that.
func Check(spec v1alpha1.AnalysisRunSpec) error {
	names := map[string]bool{}
	for _, j := range List(spec) {
		if names[j.Name] {
			return fmt.Errorf("metric %q: is there twice, among the objectives or in metrics; rename the one in metrics", j.Name)
		}
		names[j.Name] = true
		if j.Metric.Name == "" {
			continue // of the preset
		}
		for _, a := range Arms(spec) {
			if _, err := Fill(j.Metric, a, spec.Args); err != nil {
				return err
			}
		}
		if j.Kind == Job && j.Metric.Job.Template.Unreadable != "" {
			return fmt.Errorf("metric %q: job.template is no template of a batch/v1 Job (%s); correct it", j.Name, clip(j.Metric.Job.Template.Unreadable))
		}
		if _, err := boundsOf(j.Metric); j.Kind == Threshold && err != nil {
			return fmt.Errorf("metric %q: %w", j.Name, err)
		}
	}
	return checkDryRun(spec.DryRun, names)
}

// checkDryRun finds entries that no metric has the name of. Whoever wrote one
// takes a metric for harmless that aborts.
func checkDryRun(entries []string, names map[string]bool) error {
	for _, entry := range entries {
		matched := false
		for name := range names {
			matched = matched || matches(entry, name)
		}
		if !matched {
			return fmt.Errorf("dryRun: no metric has the name %q; leave it out, or write one of %s", entry, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
		}
	}
	return nil
}

// Variables are what a query may say besides the arguments, for one revision.
type Variables map[string]string

// Arms gives the variables of canary and, unless a run has none, stable.
func Arms(spec v1alpha1.AnalysisRunSpec) []Variables {
	s := spec.Subject
	if s == nil {
		return []Variables{{"arm": "canary"}, {"arm": "stable"}}
	}
	arms := []Variables{variablesOf("canary", s.Canary)}
	if s.Stable != nil {
		arms = append(arms, variablesOf("stable", *s.Stable))
	}
	return arms
}

func variablesOf(arm string, a v1alpha1.SubjectArm) Variables {
	v := Variables{"arm": arm}
	for name, value := range map[string]string{"revision": a.Revision, "service": a.Service, "workload": a.Workload} {
		if value != "" {
			v[name] = value
		}
	}
	if a.Workload != "" {
		v["podRegex"] = regexp.QuoteMeta(a.Workload) + "-.+"
	}
	return v
}

// Fill returns the metric with every $(name) of its queries, or of its web,
// replaced by the argument or the variable of that name. Arguments are data: a
// value is escaped for the place where it stands. In PromQL and LogQL only a
// name, a number or a duration may stand outside strings. The error names the
// metric, the variable and the remedy, and never what a Secret holds.
func Fill(m v1alpha1.Metric, arm Variables, args []v1alpha1.ResolvedArg) (v1alpha1.Metric, error) {
	return FillSecret(m, arm, args, nil)
}

// FillSecret is Fill with the contents of the arguments that come from Secrets.
// Where there is none "x" stands in its place. They go where nobody sees them:
// into the headers and the body of a web.
func FillSecret(m v1alpha1.Metric, arm Variables, args []v1alpha1.ResolvedArg, contents map[string]string) (v1alpha1.Metric, error) {
	v := values{shown: make(map[string]string, len(args)+len(arm)), secret: map[string]string{}}
	maps.Copy(v.shown, arm)
	for _, a := range args {
		if a.SecretKeyRef != nil {
			delete(v.shown, a.Name)
			v.secret[a.Name] = cmp.Or(contents[a.Name], "x")
			continue
		}
		v.shown[a.Name] = a.Value
	}
	filled := *m.DeepCopy()
	fields, err := fieldsOf(&filled)
	if err != nil {
		return m, fmt.Errorf("metric %q: %w", m.Name, err)
	}
	for _, f := range fields {
		text, err := v.fill(*f.text, f.as)
		if err != nil {
			return m, fmt.Errorf("metric %q: %s: %w", m.Name, f.name, err)
		}
		*f.text = text
	}
	return filled, nil
}

// field is a text of a metric in which $(name) may stand.
type field struct {
	name string
	text *string
	as   grammar
}

// fieldsOf lists them. A Job has none: its arguments are variables of its environment.
func fieldsOf(m *v1alpha1.Metric) ([]field, error) {
	switch {
	case m.Web != nil:
		fields := []field{{"web.url", &m.Web.URL, &inURL{}}, {"web.body", &m.Web.Body, new(inBody)}}
		for i, h := range m.Web.Headers {
			if h.Value != nil {
				fields = append(fields, field{"web.headers[" + h.Name + "]", m.Web.Headers[i].Value, inHeader{}})
			}
		}
		return fields, nil
	case m.Threshold != nil:
		return []field{{"threshold.query", &m.Threshold.Query, new(inQuery)}}, nil
	case m.Scalar != nil:
		return []field{{"scalar.query", &m.Scalar.Query, new(inQuery)}}, nil
	case m.Proportion != nil:
		return []field{{"proportion.bad", &m.Proportion.Bad, new(inQuery)}, {"proportion.total", &m.Proportion.Total, new(inQuery)}}, nil
	case m.Job != nil:
		return nil, nil
	}
	return nil, errors.New("no kind is set; set proportion, scalar, threshold or job")
}

// SecretArgs names the arguments from Secrets that a metric needs: those in the
// headers and the body of a web, and all of them for a Job.
func SecretArgs(m v1alpha1.Metric, args []v1alpha1.ResolvedArg) []v1alpha1.ResolvedArg {
	var text strings.Builder
	if w := m.Web; w != nil {
		text.WriteString(w.Body)
		for _, h := range w.Headers {
			if h.Value != nil {
				text.WriteString("\n" + *h.Value)
			}
		}
	}
	var needed []v1alpha1.ResolvedArg
	for _, a := range args {
		if a.SecretKeyRef != nil && (m.Job != nil || strings.Contains(text.String(), "$("+a.Name+")")) {
			needed = append(needed, a)
		}
	}
	return needed
}

// values are what may be filled in.
type values struct {
	shown, secret map[string]string
}

func (v values) fill(text string, as grammar) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); {
		if !strings.HasPrefix(text[i:], "$(") {
			n := as.step(text[i:])
			out.WriteString(text[i : i+n])
			i += n
			continue
		}
		name, _, closed := strings.Cut(text[i+2:], ")")
		if !closed {
			return "", fmt.Errorf("%q is not closed; write $(name)", text[i:])
		}
		escaped, err := v.escaped(name, as)
		if err != nil {
			return "", err
		}
		out.WriteString(escaped)
		i += len("$(") + len(name) + len(")")
	}
	return out.String(), nil
}

func (v values) escaped(name string, as grammar) (string, error) {
	if secret, is := v.secret[name]; is {
		if as.shown() {
			return "", fmt.Errorf("$(%s) comes from a Secret, and this is shown to everybody who sees the run; give it as a value", name)
		}
		escaped, err := as.escape(secret)
		if err != nil {
			return "", fmt.Errorf("$(%s): the content of the Secret can't stand here; put it between double quotes, without line breaks in a header", name)
		}
		return escaped, nil
	}
	value, known := v.shown[name]
	if !known {
		return "", fmt.Errorf("$(%s) is unknown; known are %s", name, variables(v.shown))
	}
	escaped, err := as.escape(value)
	if err != nil {
		return "", fmt.Errorf("$(%s): %w", name, err)
	}
	return escaped, nil
}

func variables(values map[string]string) string {
	if len(values) == 0 {
		return "none"
	}
	return "$(" + strings.Join(slices.Sorted(maps.Keys(values)), "), $(") + ")"
}
