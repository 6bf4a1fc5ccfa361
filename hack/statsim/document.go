// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed" // the words of the document
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/template"
)

//go:embed document.md.tmpl
var words string

// document is what is written, table by table.
type document struct {
	seed   uint64
	runs   int
	tables []*table
	limits []limit
}

// limit is a promise of the project.
type limit struct {
	what      string
	got, most float64
	format    func(float64) string
}

func (l limit) kept() bool { return l.got <= l.most }

// table is one table, under the key by which the document's words call for it.
type table struct {
	key  string
	rows [][]string
}

func newTable(key, first string, columns ...string) *table {
	return &table{key: key, rows: [][]string{append([]string{first}, columns...)}}
}

func (t *table) add(name string, cells ...string) {
	t.rows = append(t.rows, append([]string{name}, cells...))
}

// rates adds how often each detector decided.
func (t *table) rates(name string, tallies []tally) {
	cells := make([]string, 0, len(tallies))
	for _, x := range tallies {
		cells = append(cells, percent(x.rate()))
	}
	t.add(name, cells...)
}

// delays adds how long each detector took.
func (t *table) delays(name string, tallies []tally) {
	cells := make([]string, 0, len(tallies))
	for _, x := range tallies {
		cells = append(cells, delay(x))
	}
	t.add(name, cells...)
}

// delay is the median time with the canary's requests until then, and the share
// of runs that decided at all unless it is all of them.
func delay(t tally) string {
	switch median := t.medianBlock(); {
	case t.hits() == 0:
		return "never"
	case math.IsInf(median, 1):
		return percent(t.rate())
	default:
		text := span(median*blockSeconds) + ", " + number(t.medianRequests())
		if t.hits() < len(t.decisions) {
			text += " (" + percent(t.rate()) + ")"
		}
		return text
	}
}

func (d *document) add(t *table) { d.tables = append(d.tables, t) }

// markdown is the whole document.
func (d *document) markdown() string {
	t := template.Must(template.New("document").Funcs(template.FuncMap{"table": d.table, "limits": d.verdicts}).Parse(words))
	var out strings.Builder
	data := map[string]any{"Seed": d.seed, "Runs": number(float64(d.runs)), "RunsFlag": d.runs, "Tenth": number(float64(d.runs / 10))}
	if err := t.Execute(&out, data); err != nil {
		panic(err) // the words are embedded, and a test executes them
	}
	return out.String()
}

func (d *document) table(key string) (string, error) {
	for _, t := range d.tables {
		if t.key == key {
			return grid(t.rows), nil
		}
	}
	return "", fmt.Errorf("there is no table %q", key)
}

func (d *document) verdicts() string {
	rows := [][]string{{"limit", "at most", "measured", ""}}
	for _, l := range d.limits {
		verdict := "kept"
		if !l.kept() {
			verdict = "**broken**"
		}
		rows = append(rows, []string{l.what, l.format(l.most), l.format(l.got), verdict})
	}
	return grid(rows)
}

func grid(rows [][]string) string {
	lines := make([]string, 0, len(rows)+1)
	for i, cells := range rows {
		lines = append(lines, "| "+strings.Join(cells, " | ")+" |")
		if i == 0 {
			lines = append(lines, "|"+strings.Repeat("---|", len(cells)))
		}
	}
	return strings.Join(lines, "\n")
}

// percent writes 0.0033 as "0.33 %", and nothing at all as "0".
func percent(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x == 1:
		return "100 %"
	case x >= 0.9995:
		return "> 99.9 %"
	case x >= 0.1:
		return fmt.Sprintf("%.1f %%", x*100)
	case x >= 0.001:
		return fmt.Sprintf("%.2f %%", x*100)
	default:
		return fmt.Sprintf("%.3f %%", x*100)
	}
}

// number groups thousands by commas.
func number(x float64) string {
	if math.IsInf(x, 0) {
		return "never"
	}
	text := strconv.FormatFloat(math.Round(x), 'f', -1, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// span writes seconds as people say them.
func span(seconds float64) string {
	if seconds < 180 {
		return fmt.Sprintf("%.0f s", seconds)
	}
	return strconv.FormatFloat(math.Round(seconds/6)/10, 'f', -1, 64) + " min"
}
