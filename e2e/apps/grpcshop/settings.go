// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

// serverSettings say how the service behaves. They are fixed once parsed.
type serverSettings struct {
	listen, admin string
	version       string
	harm          app.Harm
	drain         time.Duration
}

func parseServer(args []string, env func(string) string) (serverSettings, error) {
	var s serverSettings
	f := flag.NewFlagSet("grpcshop", flag.ContinueOnError)
	f.StringVar(&s.listen, "listen", ":8080", "address to serve gRPC on")
	f.StringVar(&s.admin, "admin", ":8081", "address to serve metrics and take faults on, over HTTP")
	f.StringVar(&s.version, "version", "v0", "version to answer with")
	app.Flags(f, &s.harm, "calls that end with INTERNAL")
	f.DurationVar(&s.drain, "drain", 5*time.Second, "time to go on serving after SIGTERM, so that callers learn of it first")
	if err := app.Parse(f, args, env); err != nil {
		return serverSettings{}, err
	}
	return s, s.harm.Check()
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
	if err := app.Parse(f, args, env); err != nil {
		return callerSettings{}, err
	}
	if s.target == "" {
		return callerSettings{}, fmt.Errorf("target: must say whom to call, such as 127.0.0.1:8080 or xds:///shop.default.svc.cluster.local:80")
	}
	return s, nil
}
