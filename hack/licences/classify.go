// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// allowed lists the licences that may be shipped and the phrases by which each
// is known, in small letters. The first whose phrases all occur counts.
var allowed = []struct {
	name    string
	phrases []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"MPL-2.0", []string{"mozilla public license", "2.0"}},
	{"MIT", []string{"permission is hereby granted, free of charge", `the software is provided "as is"`}},
	{"BSD-3-Clause", []string{"redistributions of source code must retain", "neither the name"}},
	{"BSD-2-Clause", []string{"redistributions of source code must retain"}},
	{"ISC", []string{"permission to use, copy, modify, and", "distribute this software for any purpose with or without fee"}},
}

// refused lists phrases of licences that would bind what is shipped with them.
var refused = []string{"gnu general public license", "gnu lesser general public", "gnu affero", "server side public license", "business source license"}

// classify names the licence that a text is, and whether it may be shipped.
func classify(text string) (name string, known bool) {
	plain := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, l := range allowed {
		if containsAll(plain, l.phrases) {
			// MPL-2.0 names the GNU licences as compatible; all others must not mention them.
			return l.name, l.name == "MPL-2.0" || !containsAny(plain, refused)
		}
	}
	return "", false
}

func isLicenceFile(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	return base == "license" || base == "licence" || base == "copying" || strings.HasPrefix(base, "license-")
}

func containsAll(text string, phrases []string) bool {
	for _, p := range phrases {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

func containsAny(text string, phrases []string) bool {
	for _, p := range phrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
