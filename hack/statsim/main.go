// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Statsim plays rollouts against analysis/stats and against fixed thresholds,
// and writes how often each aborts a good canary and how long it takes to find a
// bad one. The document depends on the seed and on the numbers of runs alone. It
// fails when a limit that the project promises is broken.
//
//	go run ./hack/statsim [-seed N] [-runs N] [-workers N] [-out FILE]
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	s := simulation{progress: os.Stderr}
	flag.Uint64Var(&s.seed, "seed", 1, "where chance begins")
	flag.IntVar(&s.runs, "runs", 20000, "runs for each rate of false decisions; a tenth for each delay")
	flag.IntVar(&s.workers, "workers", runtime.NumCPU(), "runs that are played at once; the numbers do not depend on it")
	out := flag.String("out", "docs/benchmarks-analysis.md", "the document")
	flag.Parse()
	if err := write(s, *out); err != nil {
		fmt.Fprintln(os.Stderr, "statsim:", err)
		os.Exit(1)
	}
}

// write plays everything, writes the document, and then complains about limits.
func write(s simulation, file string) error {
	if s.runs < 10 || s.workers < 1 {
		return fmt.Errorf("%d runs and %d workers: need at least 10 and 1", s.runs, s.workers)
	}
	d := play(s)
	if err := os.WriteFile(file, []byte(d.markdown()), 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	for _, l := range d.limits {
		if !l.kept() {
			return fmt.Errorf("limit broken: %s is %s, must be at most %s", l.what, l.format(l.got), l.format(l.most))
		}
	}
	return nil
}
