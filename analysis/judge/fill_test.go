// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func TestFill(t *testing.T) {
	tests := map[string]struct {
		reason, query, value, want, err string
	}{
		"in quotes":        {"the usual place", `up{pod=~"$(x)-.*"}`, "web-1", `up{pod=~"web-1-.*"}`, ""},
		"twice":            {"every place is filled", `a{b="$(x)"}/c{b='$(x)'}`, "v", `a{b="v"}/c{b='v'}`, ""},
		"quote":            {"a quote can't end the string", `up{a="$(x)"}`, `"} or vector(1) #`, `up{a="\"} or vector(1) #"}`, ""},
		"backslash":        {"nor can a backslash eat the end of it", `up{a="$(x)"}`, `\`, `up{a="\\"}`, ""},
		"newline":          {"nor can a newline", `up{a="$(x)"}`, "a\nb", `up{a="a\nb"}`, ""},
		"single quotes":    {"each kind of string has its own end", `up{a='$(x)'}`, `'"`, `up{a='\'"'}`, ""},
		"quote in quotes":  {"the other quote is a mere character", `up{a="'$(x)"}`, `"`, `up{a="'\""}`, ""},
		"after an escape":  {"an escaped quote does not end a string", `up{a="\"$(x)"}`, `"`, `up{a="\"\""}`, ""},
		"backquotes":       {"raw strings take everything else as it is", "up{a=`$(x)`}", `\"`, "up{a=`\\\"`}", ""},
		"outside":          {"a duration or a name needs no quotes", `rate(up[$(x)])`, "5m", `rate(up[5m])`, ""},
		"after a comment":  {"quotes in comments open nothing", "up # it's\n{a=\"$(x)\"}", `"`, "up # it's\n{a=\"\\\"\"}", ""},
		"not again":        {"a value is not searched for variables", `up{a="$(x)"}`, "$(y)", `up{a="$(y)"}`, ""},
		"regex end":        {"a dollar alone is no variable", `up{a=~"b$"}`, "", `up{a=~"b$"}`, ""},
		"code outside":     {"outside strings only a name or number may stand", `up > $(x)`, "0 or vector(1)", "", `metric "m": threshold.query: $(x): its value "0 or vector(1)" may stand between quotes only; elsewhere use letters, digits, underscores, colons and dots`},
		"empty outside":    {"nothing is no name", `up[$(x)]`, "", "", `metric "m": threshold.query: $(x): its value "" may stand between quotes only; elsewhere use letters, digits, underscores, colons and dots`},
		"raw with its end": {"raw strings know no escape", "up{a=`$(x)`}", "`", "", "metric \"m\": threshold.query: $(x): its value \"`\" holds a backquote and can't stand between backquotes; use double quotes"},
		"unknown":          {"the error helps to find the slip", `up{a="$(canarry)"}`, "", "", `metric "m": threshold.query: $(canarry) is unknown; known are $(namespace), $(x)`},
		"not closed":       {"half a variable is a slip too", `up{a="$(x"}`, "", "", `metric "m": threshold.query: "$(x\"}" is not closed; write $(name)`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			m := v1alpha1.Metric{Name: "m", Threshold: &v1alpha1.Threshold{Query: tc.query}}
			args := []v1alpha1.ResolvedArg{{Name: "x", Value: tc.value}, {Name: "namespace", Value: "shop"}}
			got, err := Fill(m, nil, args)
			if err != nil && err.Error() != tc.err || err == nil && tc.err != "" {
				t.Fatalf("%s: error %v, want %q", tc.reason, err, tc.err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, got.Threshold.Query); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			if m.Threshold.Query != tc.query {
				t.Error("Fill changed the metric it was given")
			}
		})
	}
}

// FuzzFill holds the promise that arguments are data: whatever the value, the
// string it stands in begins and ends where the query's author put its quotes.
func FuzzFill(f *testing.F) {
	for _, v := range []string{"", "web", `"`, `\`, "\n", `\"`, "'", "`", "$(x)", "\x00", "é"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, quote := range []string{`"`, `'`, "`"} {
			got, err := values{shown: map[string]string{"x": value}}.fill("a"+quote+"$(x)"+quote+"b", new(inQuery))
			if err != nil {
				if quote != "`" || !strings.Contains(value, "`") {
					t.Fatalf("value %q in %s: %v", value, quote, err)
				}
				continue
			}
			if got[len(got)-1] != 'b' || stringEnd(got[1:]) != len(got)-2 {
				t.Fatalf("value %q ends the string early: %s", value, got)
			}
			if quote != "`" && strings.Contains(got, "\n") {
				t.Fatalf("value %q breaks the line: %q", value, got)
			}
		}
	})
}

// stringEnd is the length of the PromQL string at the start of s, with its quotes.
func stringEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return -1
}
