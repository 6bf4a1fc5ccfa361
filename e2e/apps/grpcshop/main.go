// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command grpcshop is the service that stories release where gRPC is spoken, and
// the program that calls it. It is a module of its own because of what gRPC and
// xDS bring along.
//
// Without an argument it serves; "grpcshop call" calls. Settings come from
// flags; a flag that is not given takes its value from the environment variable
// of the same name in capitals, such as ERROR_RATE for -error-rate.
//
// The caller puts HTTP before a gRPC channel, so that one load generator
// measures both: each request it gets makes exactly one call, and the answer
// says what became of it. Its target may be xds:///SERVICE:PORT; who is to be
// asked then stands in the environment, see google.golang.org/grpc/xds.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

func main() { os.Exit(app.Main(context.Background(), "grpcshop", run)) }

func run(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	if len(args) > 0 && args[0] == "call" {
		s, err := parseCaller(args[1:], env)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "grpcshop calls %s for whoever asks at %s\n", s.target, s.listen)
		return call(ctx, s)
	}
	s, err := parseServer(args, env)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "grpcshop %s listens on %s, error rate %g, latency %s\n", s.version, s.listen, s.harm.ErrorRate, s.harm.Latency)
	return serve(ctx, s)
}
