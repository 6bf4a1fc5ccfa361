// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package providertest is the suite that every provider of measurements
// passes, and servers for it to talk to. It holds what analysis.Provider
// promises: one value or a reason, one request for each measurement, no
// judgement, no secret in any text, and an end when it is told to end.
package providertest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Behaviour is what a source does when it is asked.
type Behaviour string

const (
	// One gives the number 0.25.
	One Behaviour = "one value"
	// Nothing gives an answer without a value.
	Nothing Behaviour = "no value"
	// NaN gives not-a-number.
	NaN Behaviour = "NaN"
	// Infinite gives an infinite number.
	Infinite Behaviour = "infinite"
	// Several gives two numbers.
	Several Behaviour = "several values"
	// Partial gives 0.25 and says that data may be missing.
	Partial Behaviour = "partial data"
	// Refuses rejects the query, and repeats in its error all it was sent to be let in.
	Refuses Behaviour = "refused query"
	// Fails has an internal error, and repeats in it all it was sent to be let in.
	Fails Behaviour = "internal error"
	// Garbage answers in another language.
	Garbage Behaviour = "garbage"
	// Huge answers without end.
	Huge Behaviour = "huge answer"
	// Hangs accepts the request and never answers.
	Hangs Behaviour = "no answer"
	// Gone refuses the connection.
	Gone Behaviour = "unreachable"
)

// Source is one place to measure at.
type Source struct {
	// Target to measure at.
	Target analysis.Target
	// Metric to measure.
	Metric v1alpha1.Metric
	// Asked counts the requests that the source got.
	Asked func() int
}

// Fixture is what the suite needs to know of a provider.
type Fixture struct {
	// Provider under test. Its own time limit should be a second or less.
	Provider analysis.Provider
	// Source makes a source that behaves as told until the test ends. Its
	// target holds the secret, if targets of this provider can.
	Source func(t *testing.T, b Behaviour) Source
	// Secret must not show in any message or error.
	Secret string
}

// patience is well above any provider's time limit in a test, and well below go test's.
const patience = 20 * time.Second

// Run holds a provider to the contract of analysis.Provider.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	t.Run("one value", f.oneValue)
	for _, b := range []Behaviour{Nothing, NaN, Infinite, Several, Partial} {
		t.Run(string(b), func(t *testing.T) { f.noValue(t, b) })
	}
	for _, b := range []Behaviour{Refuses, Fails, Garbage, Huge, Hangs, Gone} {
		t.Run(string(b), func(t *testing.T) { f.noAnswer(t, b) })
	}
	t.Run("ends when told to", f.ends)
}

func (f Fixture) oneValue(t *testing.T) {
	s := f.Source(t, One)
	at := time.Unix(1_700_000_000, 0)
	x, err := f.Provider.Measure(limited(t), s.Target, s.Metric, at)
	if err != nil {
		t.Fatalf("Measure: unexpected error: %v", err)
	}
	if v, err := strconv.ParseFloat(x.Value, 64); err != nil || v != 0.25 {
		t.Errorf("Measure: value %q, want 0.25", x.Value)
	}
	if x.Message != "" {
		t.Errorf("Measure: message %q beside a value, want none", x.Message)
	}
	if !x.At.Time.Equal(at) {
		t.Errorf("Measure: at %s, want the time asked for, %s", x.At.Time, at)
	}
	f.always(t, s, x, nil)
}

func (f Fixture) noValue(t *testing.T, b Behaviour) {
	t.Helper()
	s := f.Source(t, b)
	x, err := f.Provider.Measure(limited(t), s.Target, s.Metric, time.Now())
	if err != nil {
		t.Fatalf("Measure: unexpected error: %v; an answer without a usable value is a measurement with a message", err)
	}
	if x.Value != "" {
		t.Errorf("Measure: value %q, want none", x.Value)
	}
	if x.Message == "" {
		t.Error("Measure: neither a value nor a message")
	}
	f.always(t, s, x, nil)
}

func (f Fixture) noAnswer(t *testing.T, b Behaviour) {
	t.Helper()
	s := f.Source(t, b)
	x, err := f.Provider.Measure(limited(t), s.Target, s.Metric, time.Now())
	if err == nil {
		t.Fatalf("Measure: no error, measurement %+v", x)
	}
	if x.Value != "" {
		t.Errorf("Measure: value %q beside an error, want none", x.Value)
	}
	f.always(t, s, x, err)
	_, again := f.Provider.Measure(limited(t), s.Target, s.Metric, time.Now())
	if again == nil || again.Error() != err.Error() {
		t.Errorf("Measure: the same cause reads differently the second time:\n %v\n %v", err, again)
	}
}

// always holds whatever the source does.
func (f Fixture) always(t *testing.T, s Source, x v1alpha1.Measurement, err error) {
	t.Helper()
	text := x.Message
	if err != nil {
		text += err.Error()
	}
	if f.Secret != "" && strings.Contains(text, f.Secret) {
		t.Errorf("Measure: the secret shows in %q", text)
	}
	if len(text) > 1024 || strings.Contains(text, "\n") {
		t.Errorf("Measure: the message is not one short line: %q", text)
	}
	if x.Outcome != "" {
		t.Errorf("Measure: outcome %q, want none: a provider does not judge", x.Outcome)
	}
	if n := s.Asked(); n > 1 {
		t.Errorf("Measure: the source was asked %d times for one measurement", n)
	}
}

func (f Fixture) ends(t *testing.T) {
	s := f.Source(t, Hangs)
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	start := time.Now()
	x, err := f.Provider.Measure(ctx, s.Target, s.Metric, time.Now())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Measure: measurement %+v, error %v; want context.Canceled", x, err)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("Measure: took %s after the context had ended", took)
	}
}

// limited makes a provider without a time limit of its own fail, not hang.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
