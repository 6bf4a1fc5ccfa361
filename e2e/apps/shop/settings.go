// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"
)

// settings say how the shop behaves. They are fixed once parsed.
type settings struct {
	listen     string
	tls        identity
	version    string
	errorRate  float64
	latency    time.Duration
	startDelay time.Duration
	drain      time.Duration
	crash      bool
}

// identity is whom the shop is to those who speak TLS.
type identity struct{ listen, certificate, key string }

// parse reads flags, and the environment for those that are not given.
func parse(args []string, env func(string) string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("shop", flag.ContinueOnError)
	f.StringVar(&s.listen, "listen", ":8080", "address to listen on")
	f.StringVar(&s.tls.listen, "tls-listen", "", "address to speak TLS on too; none without")
	f.StringVar(&s.tls.certificate, "tls-certificate", "", "certificate to show there, in PEM")
	f.StringVar(&s.tls.key, "tls-key", "", "its key, in PEM")
	f.StringVar(&s.version, "version", "v0", "version to answer with")
	f.Float64Var(&s.errorRate, "error-rate", 0, "share of requests answered 500, 0 to 1")
	f.DurationVar(&s.latency, "latency", 0, "time added to each answer")
	f.DurationVar(&s.startDelay, "start-delay", 0, "time before the shop listens")
	f.DurationVar(&s.drain, "drain", 5*time.Second, "time to go on serving after SIGTERM, so that callers learn of it first")
	f.BoolVar(&s.crash, "crash", false, "exit with code 1 instead of listening")
	if err := fromEnvironment(f, env); err != nil {
		return settings{}, err
	}
	if err := f.Parse(args); err != nil {
		return settings{}, err
	}
	return s, checkRate(s.errorRate)
}

func fromEnvironment(f *flag.FlagSet, env func(string) string) error {
	var failed error
	f.VisitAll(func(fl *flag.Flag) {
		name := strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		value := env(name)
		if value == "" || failed != nil {
			return
		}
		if err := fl.Value.Set(value); err != nil {
			failed = fmt.Errorf("environment variable %s=%q: %w", name, value, err)
		}
	})
	return failed
}

// sleep waits, and reports whether the whole time has passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
