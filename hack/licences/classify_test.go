// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"
)

func TestClassify(t *testing.T) {
	ours, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		text   string
		want   string
		known  bool
	}{
		"Apache": {
			reason: "Our own licence is known.",
			text:   string(ours), want: "Apache-2.0", known: true,
		},
		"MIT": {
			reason: "Line breaks and capitals do not matter.",
			text:   "Permission is hereby\ngranted, free of charge, … THE SOFTWARE IS PROVIDED\n\"AS IS\"", want: "MIT", known: true,
		},
		"BSD3": {
			reason: "The third clause tells BSD-3 from BSD-2.",
			text:   "* Redistributions of source code must retain …\n* Neither the name of …", want: "BSD-3-Clause", known: true,
		},
		"BSD2": {
			reason: "Two clauses are BSD-2.",
			text:   "1. Redistributions of source code must retain …", want: "BSD-2-Clause", known: true,
		},
		"MPL": {
			reason: "MPL-2.0 mentions the GNU licences and is allowed all the same.",
			text:   "Mozilla Public License Version 2.0 … GNU General Public License", want: "MPL-2.0", known: true,
		},
		"GPL": {
			reason: "A copyleft licence is refused.",
			text:   "GNU GENERAL PUBLIC LICENSE Version 3",
		},
		"MixedWithGPL": {
			reason: "A file that holds a second, refused licence is refused.",
			text:   "Permission is hereby granted, free of charge … the software is provided \"as is\" … GNU General Public License",
			want:   "MIT",
		},
		"Unknown": {
			reason: "What is not recognised is not allowed.",
			text:   "All rights reserved.",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, known := classify(tc.text)
			if got != tc.want || known != tc.known {
				t.Errorf("%s\ngot %q, %v; want %q, %v", tc.reason, got, known, tc.want, tc.known)
			}
		})
	}
}
