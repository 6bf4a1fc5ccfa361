// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/kube"
)

// applied is what became of a plan's actions.
type applied struct {
	// unfinished: one goes on in the next pass.
	unfinished bool
	// failures are there for people to know, whatever came after them.
	failures failures
	// lost is why nothing more may be written, see [moot]; nil as a rule.
	lost error
}

// failed notes the error of an action. Of several routes one may refuse what for another comes too late.
func (d *applied) failed(ctx context.Context, a plan.Action, err error) {
	var parts failures
	if !errors.As(err, &parts) {
		parts = failures{err}
	}
	for _, part := range parts {
		if moot(ctx, part) {
			d.lost = part
			continue
		}
		d.failures = append(d.failures, fmt.Errorf("%s: %w", a, part))
	}
}

// err is what the pass ends with. A lost race is silent, but not what failed before it.
func (d *applied) err() error {
	if len(d.failures) > 0 {
		return d.failures
	}
	return d.lost
}

// retry is when to try again at the latest, given when the plan would have looked again.
func (d *applied) retry(wake time.Duration) time.Duration {
	if d.lost != nil {
		return sooner(wake, conflictPause)
	}
	return wake
}

// moot reports whether nothing more may be written after an error: somebody
// else has changed what was decided upon, may lead by now, or wants this to end.
func moot(ctx context.Context, err error) bool {
	return apierrors.IsConflict(err) || errors.Is(err, kube.ErrBehind) || errors.Is(err, kube.ErrFenced) || ctx.Err() != nil
}

// failures are those of one pass, or of one action on several objects, told in one line.
type failures []error

// joined gives them as an error; nil when there are none.
func (f failures) joined() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Error implements error.
func (f failures) Error() string {
	texts := make([]string, 0, len(f))
	for _, err := range f {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives each of them.
func (f failures) Unwrap() []error { return f }
