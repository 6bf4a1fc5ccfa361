// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// progress tells a person what goes on.
type progress struct{ out io.Writer }

func (p progress) say(format string, args ...any) {
	fmt.Fprintf(p.out, "  "+format+"\n", args...)
}

// waitFor asks until there is no error, and says on the progress output what it
// waits for and how long it took.
func (p progress) waitFor(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, partWithin)
	defer cancel()
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; {
		err := ask(ctx)
		if err == nil {
			p.say("%-28s ready after %.1f s", what, time.Since(start).Seconds())
			return nil
		}
		if ended := (errEnded{}); errors.As(err, &ended) {
			return err
		}
		if !told && time.Since(start) > 5*time.Second {
			told = true
			p.say("%-28s waiting: %s", what, brief(err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (last answer: %s)", what, ctx.Err(), brief(err))
		case <-tick.C:
		}
	}
}

// brief shortens an error for a progress line. Of the API server's list of
// checks it keeps those that fail.
func brief(err error) string {
	text := err.Error()
	if _, failed, ok := strings.Cut(text, "[-]"); ok {
		text, _, _ = strings.Cut(failed, `\n`)
	}
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > 120 {
		text = text[:120] + "…"
	}
	return text
}
