// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// style is how a piece of text looks on a terminal with colours.
type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	good  style = "32"
	busy  style = "36"
	odd   style = "33"
	bad   style = "31"
)

// look is how much to show, and whether in colours.
type look struct {
	colour bool
	wide   bool
}

func (l look) paint(text string, as style) string {
	if !l.colour || as == plain || text == "" {
		return text
	}
	return "\x1b[" + string(as) + "m" + text + "\x1b[0m"
}

// cell is a piece of text that lines up with those of its neighbours.
type cell struct {
	text string
	as   style
}

// node is one entry of the drawn tree: cells on a line, lines below it that
// belong to it, and children.
type node struct {
	cells    []cell
	lines    []cell
	children []node
}

// draw writes nodes below one another, joined by branches. The cells of
// neighbours with children of their own do not line up: the eye never sees them together.
func (l look) draw(out io.Writer, nodes []node, indent string) {
	widths := columns(nodes)
	for i, n := range nodes {
		branch, below := "├─ ", "│  "
		if i == len(nodes)-1 {
			branch, below = "└─ ", "   "
		}
		fmt.Fprintln(out, indent+l.paint(branch, faint)+l.row(n.cells, widths))
		stem := indent + l.paint(below, faint)
		for _, line := range n.lines {
			mark := "  "
			if len(n.children) > 0 {
				mark = l.paint("│ ", faint)
			}
			fmt.Fprintln(out, stem+mark+l.paint(line.text, line.as))
		}
		l.draw(out, n.children, stem)
	}
}

// row pads all cells but the last one that is not empty.
func (l look) row(cells []cell, widths []int) string {
	last := len(cells) - 1
	for last > 0 && cells[last].text == "" {
		last--
	}
	var out strings.Builder
	for i, c := range cells[:last+1] {
		out.WriteString(l.paint(c.text, c.as))
		if i == last {
			break
		}
		pad := 0
		if widths != nil {
			pad = widths[i] - utf8.RuneCountInString(c.text)
		}
		if c.text != "" || pad > 0 {
			out.WriteString(strings.Repeat(" ", pad+gap(i, c)))
		}
	}
	return out.String()
}

// gap is the space behind a cell; a mark of one letter at the start stands close to what it marks.
func gap(column int, c cell) int {
	if column == 0 && utf8.RuneCountInString(c.text) == 1 {
		return 1
	}
	return 2
}

func columns(nodes []node) []int {
	var widths []int
	for _, n := range nodes {
		if len(n.children) > 0 {
			return nil
		}
		for i, c := range n.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	return widths
}

func phaseStyle(p v1alpha1.RolloutPhase) style {
	switch p {
	case v1alpha1.PhaseHealthy:
		return good
	case v1alpha1.PhaseDegraded, v1alpha1.PhaseAborting:
		return bad
	case v1alpha1.PhasePaused, v1alpha1.PhaseHolding, v1alpha1.PhasePending, v1alpha1.PhaseRollingBack:
		return odd
	case v1alpha1.PhaseProgressing:
		return busy
	}
	return plain // not reported yet
}
