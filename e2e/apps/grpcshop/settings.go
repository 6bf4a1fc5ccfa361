// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"strings"
	"time"
)

// serverSettings say how the service behaves. They are fixed once parsed.
type serverSettings struct {
	listen, admin string
	version       string
	errorRate     float64
	latency       time.Duration
	drain         time.Duration
}

func parseServer(args []string, env func(string) string) (serverSettings, error) {
	var s serverSettings
	f := flag.NewFlagSet("grpcshop", flag.ContinueOnError)
	f.StringVar(&s.listen, "listen", ":8080", "address to serve gRPC on")
	f.StringVar(&s.admin, "admin", ":8081", "address to serve metrics and take faults on, over HTTP")
	f.StringVar(&s.version, "version", "v0", "version to answer with")
	f.Float64Var(&s.errorRate, "error-rate", 0, "share of calls that end with INTERNAL, 0 to 1")
	f.DurationVar(&s.latency, "latency", 0, "time added to each answer")
	f.DurationVar(&s.drain, "drain", 5*time.Second, "time to go on serving after SIGTERM, so that callers learn of it first")
	if err := parse(f, args, env); err != nil {
		return serverSettings{}, err
	}
	return s, checkRate(s.errorRate)
}

// callerSettings say whom the caller calls.
type callerSettings struct {
	listen    string
	target    string
	authority string
	timeout   time.Duration
}

func parseCaller(args []string, env func(string) string) (callerSettings, error) {
	var s callerSettings
	f := flag.NewFlagSet("grpcshop call", flag.ContinueOnError)
	f.StringVar(&s.listen, "listen", ":8090", "address to take HTTP requests on, each of which makes one call")
	f.StringVar(&s.target, "target", "", "whom to call, as gRPC names it: HOST:PORT or xds:///SERVICE:PORT")
	f.StringVar(&s.authority, "authority", "", "the :authority of calls, where it differs from the target's")
	f.DurationVar(&s.timeout, "timeout", 8*time.Second, "time that one call may take")
	if err := parse(f, args, env); err != nil {
		return callerSettings{}, err
	}
	if s.target == "" {
		return callerSettings{}, fmt.Errorf("target: must say whom to call, such as 127.0.0.1:8080 or xds:///shop.default.svc.cluster.local:80")
	}
	return s, nil
}

// parse reads flags, and the environment for those that are not given.
func parse(f *flag.FlagSet, args []string, env func(string) string) error {
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
	if failed != nil {
		return failed
	}
	return f.Parse(args)
}

func checkRate(rate float64) error {
	if !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("error-rate %g: must be between 0 and 1", rate)
	}
	return nil
}
