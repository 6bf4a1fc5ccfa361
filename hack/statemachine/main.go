// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command statemachine writes docs/state-machine.md from the tables that the
// planner decides by.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

//go:embed document.md.tmpl
var document string

func main() {
	out := flag.String("out", "docs/state-machine.md", "the page to write")
	flag.Parse()
	if err := write(*out); err != nil {
		fmt.Fprintf(os.Stderr, "statemachine: %v\n", err)
		os.Exit(1)
	}
}

func write(path string) error {
	functions := template.FuncMap{"list": list, "arrows": arrows, "standings": standings}
	t, err := template.New("document").Funcs(functions).Parse(document)
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	var page strings.Builder
	if err := t.Execute(&page, plan.StateMachine()); err != nil {
		return fmt.Errorf("fill the page's template: %w", err)
	}
	return os.WriteFile(path, []byte(page.String()), 0o644)
}

func list(names []string) string { return strings.Join(names, ", ") }

func standings(says []plan.Standing) string {
	texts := make([]string, len(says))
	for i, s := range says {
		texts[i] = string(s.Phase) + " `" + s.Reason + "`"
	}
	return strings.Join(texts, "<br>")
}

// arrow is one line of the diagram with all that it stands for.
type arrow struct {
	From, To string
	Labels   string
}

// arrows draws each pair of modes once. Commands that leave the mode alone
// would only hide the rest; the table has them.
func arrows(m plan.Machine) []arrow {
	var all []arrow
	add := func(from, to, label string) {
		i := slices.IndexFunc(all, func(a arrow) bool { return a.From == from && a.To == to })
		if i < 0 {
			all = append(all, arrow{from, to, label})
			return
		}
		all[i].Labels += "<br>" + label
	}
	each := func(ts []plan.Transition, label func(plan.Transition) string) {
		for _, t := range ts {
			for _, from := range t.From {
				for _, to := range t.To {
					add(from, to, label(t))
				}
			}
		}
	}
	each(m.Transitions, func(t plan.Transition) string { return t.Name })
	each(m.Drifts, func(t plan.Transition) string { return "(" + t.Cause + ")" })
	moving := slices.DeleteFunc(slices.Clone(m.Commands), func(t plan.Transition) bool { return slices.Equal(t.From, t.To) })
	each(moving, func(t plan.Transition) string { return "“" + t.Name + "”" })
	return all
}
