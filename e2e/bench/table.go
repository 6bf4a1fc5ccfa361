// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
)

// row is a line of the result.
type row struct {
	what   string
	figure float64
	// unit follows figure and limit, such as " MiB".
	unit string
	// limit the figure may reach; nil for a figure without one.
	limit *float64
	// must makes the bench fail beyond the limit.
	must bool
	// parts tell what the figure is made of.
	parts []string
}

func (r row) over() bool { return r.limit != nil && r.figure > *r.limit }

// verdict says in a word how figure and limit compare.
func (r row) verdict() string {
	switch {
	case r.limit == nil:
		return ""
	case !r.over():
		return "ok"
	case r.must:
		return "FAILED"
	}
	return "over"
}

// section is what one measurement found.
type section struct {
	title string
	rows  []row
}

// print writes sections as a table and tells whether every figure that must
// stay within its limit does.
func printTable(out io.Writer, sections []section) (passed bool) {
	passed = true
	for _, s := range sections {
		fmt.Fprintf(out, "\n%-58s %10s %10s\n", s.title, "figure", "limit")
		for _, r := range s.rows {
			limit := ""
			if r.limit != nil {
				limit = number(*r.limit) + r.unit
			}
			fmt.Fprintf(out, "  %-56s %10s %10s %s\n", r.what, number(r.figure)+r.unit, limit, r.verdict())
			for _, part := range r.parts {
				fmt.Fprintf(out, "      %s\n", part)
			}
			passed = passed && (!r.over() || !r.must)
		}
	}
	return passed
}

// number drops the fraction of whole figures.
func number(n float64) string {
	if n == float64(int64(n)) {
		return fmt.Sprintf("%d", int64(n))
	}
	return fmt.Sprintf("%.1f", n)
}
