// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Budgets counts what the linters cannot: lines per file, methods per type,
// parameters per function, and fields that a reconciler assigns to itself after
// it was built. Tests and generated files are free. It prints one line for each
// budget that is passed and then fails.
//
//	go run ./hack/budgets [FOLDER]
package main

import (
	"fmt"
	"os"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	sources, err := load(os.DirFS(root))
	if err != nil {
		fmt.Fprintln(os.Stderr, "budgets:", err)
		os.Exit(2)
	}
	passed := check(sources)
	for _, line := range passed {
		fmt.Println(line)
	}
	if len(passed) > 0 {
		fmt.Fprintf(os.Stderr, "budgets: %d passed; split the file, the type or the function\n", len(passed))
		os.Exit(1)
	}
}
