// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command shop is the service that stories and demo release. It answers every
// request with its version, fails a share of them on purpose when told to, and
// never drops one because it is being stopped.
//
// Settings come from flags; a flag that is not given takes its value from the
// environment variable of the same name in capitals, such as ERROR_RATE for
// -error-rate.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

func main() { os.Exit(app.Main(context.Background(), "shop", run)) }

// errCrash is what a shop that was told to crash ends with.
var errCrash = errors.New("crashing as told by CRASH")

func run(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	s, err := parse(args, env)
	if err != nil {
		return err
	}
	if !app.Sleep(ctx, s.startDelay) {
		return nil // Stopped before it started: nothing to drain.
	}
	if s.crash {
		return errCrash
	}
	_, _ = fmt.Fprintf(out, "shop %s listens on %s, error rate %g, latency %s\n", s.version, s.listen, s.harm.ErrorRate, s.harm.Latency)
	return serve(ctx, s, newShop(s))
}
