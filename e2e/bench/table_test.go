// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"k8s.io/utils/ptr"
)

func TestPrintTable(t *testing.T) {
	cases := map[string]struct {
		reason string
		row    row
		passed bool
		shows  string
	}{
		"NoLimit":  {reason: "A figure without a limit is told and no more.", row: row{figure: 7.25, unit: " s"}, passed: true, shows: "7.2 s"},
		"Within":   {reason: "A limit may be reached.", row: row{figure: 3, limit: ptr.To(3.0), must: true}, passed: true, shows: "ok"},
		"Reported": {reason: "Beyond a limit that is only reported, the bench passes.", row: row{figure: 4, limit: ptr.To(3.0)}, passed: true, shows: "over"},
		"Must":     {reason: "Beyond a limit that must be kept, it does not.", row: row{figure: 4, limit: ptr.To(3.0), must: true}, shows: "FAILED"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			passed := printTable(&out, []section{{title: "x", rows: []row{tc.row}}})
			if passed != tc.passed || !strings.Contains(out.String(), tc.shows) {
				t.Errorf("%s Passed: %t, and it shows:\n%s", tc.reason, passed, out.String())
			}
		})
	}
}
