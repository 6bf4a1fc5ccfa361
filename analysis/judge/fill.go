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

// Fill returns the metric with every $(name) of its query replaced by the
// argument of that name. Arguments are data: a value is escaped for the kind of
// PromQL string it stands in, and outside strings only a name, a number or a
// duration may stand. The error names the metric, the variable and the remedy.
func Fill(m v1alpha1.Metric, args []v1alpha1.ResolvedArg) (v1alpha1.Metric, error) {
	if m.Threshold == nil {
		return m, fmt.Errorf("metric %q: no kind is set; set threshold", m.Name)
	}
	values := make(map[string]string, len(args))
	for _, a := range args {
		values[a.Name] = a.Value
	}
	query, err := fill(m.Threshold.Query, values)
	if err != nil {
		return m, fmt.Errorf("metric %q: threshold.query: %w", m.Name, err)
	}
	filled := *m.DeepCopy()
	filled.Threshold.Query = query
	return filled, nil
}

func fill(query string, values map[string]string) (string, error) {
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
