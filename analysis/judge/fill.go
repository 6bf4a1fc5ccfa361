// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// bare is what a value may consist of outside a string: names, numbers and
// durations, but nothing that could become an operator or end an expression.
var bare = regexp.MustCompile(`^[A-Za-z0-9_:.]+$`)

// Check reports why a run can't be carried out as it is written: an unknown
// variable, bounds that no value meets. Waiting does not mend that.
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
		if _, err := boundsOf(j.Metric); j.Kind == Threshold && err != nil {
			return fmt.Errorf("metric %q: %w", j.Name, err)
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

// Fill returns the metric with every $(name) of its queries replaced by the
// argument or the variable of that name. Arguments are data: a value is escaped for the kind of
// PromQL string it stands in, and outside strings only a name, a number or a
// duration may stand. The error names the metric, the variable and the remedy.
func Fill(m v1alpha1.Metric, arm Variables, args []v1alpha1.ResolvedArg) (v1alpha1.Metric, error) {
	values, secret := make(map[string]string, len(args)+len(arm)), map[string]bool{}
	for name, value := range arm {
		values[name] = value
	}
	for _, a := range args {
		if a.SecretKeyRef != nil {
			delete(values, a.Name)
			secret[a.Name] = true
			continue
		}
		values[a.Name] = a.Value
	}
	filled := *m.DeepCopy()
	var fields map[string]*string
	switch {
	case filled.Threshold != nil:
		fields = map[string]*string{"threshold.query": &filled.Threshold.Query}
	case filled.Scalar != nil:
		fields = map[string]*string{"scalar.query": &filled.Scalar.Query}
	case filled.Proportion != nil:
		fields = map[string]*string{"proportion.total": &filled.Proportion.Total, "proportion.bad": &filled.Proportion.Bad}
	default:
		return m, fmt.Errorf("metric %q: no kind is set; set proportion, scalar or threshold", m.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text, err := fill(*fields[name], values, secret)
		if err != nil {
			return m, fmt.Errorf("metric %q: %s: %w", m.Name, name, err)
		}
		*fields[name] = text
	}
	return filled, nil
}

func fill(query string, values map[string]string, secret map[string]bool) (string, error) {
	var out strings.Builder
	var in place
	for i := 0; i < len(query); {
		if !strings.HasPrefix(query[i:], "$(") {
			n := in.step(query[i:])
			out.WriteString(query[i : i+n])
			i += n
			continue
		}
		name, _, closed := strings.Cut(query[i+2:], ")")
		if !closed {
			return "", fmt.Errorf("%q is not closed; write $(name)", query[i:])
		}
		value, known := values[name]
		if secret[name] {
			return "", fmt.Errorf("$(%s) comes from a Secret, and queries are shown to everybody who sees the run; give it as a value", name)
		}
		if !known {
			return "", fmt.Errorf("$(%s) is unknown; known are %s", name, variables(values))
		}
		escaped, err := in.escape(value)
		if err != nil {
			return "", fmt.Errorf("$(%s): %w", name, err)
		}
		out.WriteString(escaped)
		i += len("$(") + len(name) + len(")")
	}
	return out.String(), nil
}

func variables(values map[string]string) string {
	if len(values) == 0 {
		return "none"
	}
	return "$(" + strings.Join(slices.Sorted(maps.Keys(values)), "), $(") + ")"
}

// place is where in a PromQL expression one is: the quote of the string around,
// # in a comment, 0 elsewhere.
type place byte

// step moves over the next character, or over an escape sequence, and returns its length.
func (p *place) step(rest string) int {
	c := place(rest[0])
	switch {
	case *p == 0:
		if strings.IndexByte("\"'`#", rest[0]) >= 0 {
			*p = c
		}
	case *p == '#':
		if c == '\n' {
			*p = 0
		}
	case c == '\\' && *p != '`' && len(rest) > 1:
		return 2
	case c == *p:
		*p = 0
	}
	return 1
}

// escape gives a value the form that makes it mean itself at this place.
func (p *place) escape(value string) (string, error) {
	switch *p {
	case '"', '\'':
		quote := string(*p)
		return strings.NewReplacer(`\`, `\\`, "\n", `\n`, quote, `\`+quote).Replace(value), nil
	case '`':
		if strings.Contains(value, "`") {
			return "", fmt.Errorf("its value %q holds a backquote and can't stand between backquotes; use double quotes", value)
		}
		return value, nil
	default:
		if !bare.MatchString(value) {
			return "", fmt.Errorf("its value %q may stand between quotes only; elsewhere use letters, digits, underscores, colons and dots", value)
		}
		return value, nil
	}
}
