// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"time"
)

const pollInterval = 100 * time.Millisecond

// Poll asks until the answer is yes. When ctx ends first, the error says what
// was awaited and how things last were. An error of ask is taken for an answer
// of the moment, and asked again.
func Poll(ctx context.Context, what string, ask func(context.Context) (done bool, state string, err error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	last := "not asked yet"
	for {
		done, state, err := ask(ctx)
		switch {
		case err == nil && done:
			return nil
		case err == nil:
			last = state
		case ctx.Err() == nil:
			last = err.Error()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last seen: %s", what, context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}

// Stays asks for a time whether something still holds, and gives the first contradiction.
func Stays(ctx context.Context, what string, d time.Duration, ask func(context.Context) (holds bool, state string, err error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		holds, state, err := ask(ctx)
		if err != nil {
			return fmt.Errorf("watching that %s: %w", what, err)
		}
		if !holds {
			return fmt.Errorf("not so for %s that %s: %s", d, what, state)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("watching that %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}
