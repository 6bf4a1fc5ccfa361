// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

const (
	gateTimeout = 10 * time.Second
	// gateLimit bounds how much of an answer is read.
	gateLimit = 64 << 10
)

// gates asks the URLs of gate steps and remembers the last answer of each
// Rollout. Answers are held in memory only: a controller that starts anew asks
// again, which a gate must bear.
type gates struct {
	client *http.Client
	clock  clock.PassiveClock
	// reach says why an address may not be asked.
	reach func(address string) error
	// answered wakes the Rollout whose gate has answered.
	answered chan event.GenericEvent

	mu      sync.Mutex
	last    map[types.UID]plan.GateAnswer
	waiting map[types.UID]bool
}

func newGates(clk clock.PassiveClock, reach func(address string) error) *gates {
	return &gates{
		client: &http.Client{
			Timeout: gateTimeout,
			// An answer elsewhere is none: who may say so is written in the Rollout.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		clock: clk, reach: reach, answered: make(chan event.GenericEvent, 64),
		last: map[types.UID]plan.GateAnswer{}, waiting: map[types.UID]bool{},
	}
}

// problems lists the gates of a Rollout that may not be asked.
func (g *gates) problems(ro *v1alpha1.Rollout) (all []plan.Problem) {
	if ro.Spec.Strategy.Canary == nil {
		return nil
	}
	for i, step := range ro.Spec.Strategy.Canary.Steps {
		if step.Gate == nil {
			continue
		}
		if err := g.reach(step.Gate.URL); err != nil {
			all = append(all, plan.Problem{Field: fmt.Sprintf("spec.strategy.canary.steps[%d].gate.url", i), Message: err.Error()})
		}
	}
	return all
}

// answer gives the last answer for a Rollout; nil when there is none.
func (g *gates) answer(uid types.UID) *plan.GateAnswer {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.last[uid]
	if !ok {
		return nil
	}
	return &a
}

// forget drops what is remembered of a Rollout that is gone.
func (g *gates) forget(uid types.UID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.last, uid)
}

// ask asks in the background, unless an answer to an earlier question is still
// awaited. The Rollout is looked at again when it has come.
func (g *gates) ask(ctx context.Context, ro *v1alpha1.Rollout, a plan.AskGate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting[ro.UID] {
		return
	}
	g.waiting[ro.UID] = true
	attempts := 1
	if last, ok := g.last[ro.UID]; ok && last.Release == a.Release && last.Step == a.Step {
		attempts = last.Attempts + 1
	}
	ro = ro.DeepCopy()
	ctx = context.WithoutCancel(ctx) // the pass ends before the answer comes; the client's timeout bounds it
	go func() {
		allowed, message := g.post(ctx, ro, a)
		answer := plan.GateAnswer{Release: a.Release, Step: a.Step, Allowed: allowed, Message: message, At: g.clock.Now(), Attempts: attempts}
		g.mu.Lock()
		g.last[ro.UID] = answer
		delete(g.waiting, ro.UID)
		g.mu.Unlock()
		g.answered <- event.GenericEvent{Object: ro}
	}()
}

// post asks once. Only a 2xx answer whose JSON says {"allow": true} allows.
func (g *gates) post(ctx context.Context, ro *v1alpha1.Rollout, a plan.AskGate) (allowed bool, message string) {
	if err := g.reach(a.URL); err != nil {
		return false, err.Error()
	}
	body, err := json.Marshal(map[string]any{
		"namespace": ro.Namespace, "rollout": ro.Name, "revision": a.Revision, "release": a.Release, "step": a.Step,
	})
	if err != nil {
		return false, err.Error()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		return false, err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return false, "status " + resp.Status
	}
	return readPermission(io.LimitReader(resp.Body, gateLimit))
}

func readPermission(body io.Reader) (allowed bool, message string) {
	var said struct {
		Allow   *bool  `json:"allow"`
		Message string `json:"message"`
	}
	switch err := json.NewDecoder(body).Decode(&said); {
	case err != nil:
		return false, fmt.Sprintf("not JSON such as {\"allow\": true}: %v", err)
	case said.Allow == nil:
		return false, "the JSON has no field allow"
	case *said.Allow:
		return true, "allowed " + said.Message
	}
	return false, "not allowed " + said.Message
}
