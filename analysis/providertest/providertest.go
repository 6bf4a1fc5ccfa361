// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package providertest is the suite that every provider of measurements
// passes, and servers for it to talk to. It holds what providers promise: one
// finite number or a reason why there is none, counts that are whole, one request
// for each question, no secret in any text, and an end when told to end.
package providertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/analysis"
)

// Behaviour is what a source does when it is asked.
type Behaviour string

const (
	// One gives the number 0.25.
	One Behaviour = "one value"
	// Whole gives the number 37.
	Whole Behaviour = "whole number"
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
	// Ask asks the provider under test to measure here, once.
	Ask func(ctx context.Context, at time.Time) (analysis.Answer, error)
	// Asked counts the requests that the source got.
	Asked func() int
}

// Limit is the time limit for a provider that meets a behaviour: short where nothing
// comes, and no race where something does, however busy the machine is.
func Limit(b Behaviour) time.Duration {
	if b == Hangs {
		return 300 * time.Millisecond
	}
	return patience / 2
}

// Fixture is what the suite needs to know of a provider, whose time limits should
// be those of [Limit].
type Fixture struct {
	// Source makes a source that behaves as told until the test ends. It is
	// reached with the secret, if the provider knows secrets.
	Source func(t *testing.T, b Behaviour) Source
	// Secret must not show in any message or error.
	Secret string
	// Never lists what sources of this provider can't do.
	Never []Behaviour
}

// patience is well above any provider's time limit in a test, and well below go test's.
const patience = 20 * time.Second

// Run holds a provider to the contract.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	all := map[Behaviour]func(*testing.T, Behaviour){One: f.number, Whole: f.number, Nothing: f.nothing}
	for _, b := range []Behaviour{NaN, Infinite, Several, Partial} {
		all[b] = f.useless
	}
	for _, b := range []Behaviour{Refuses, Fails, Garbage, Huge, Hangs, Gone} {
		all[b] = f.noAnswer
	}
	for b, check := range all {
		if !slices.Contains(f.Never, b) {
			t.Run(string(b), func(t *testing.T) { check(t, b) })
		}
	}
	t.Run("ends when told to", f.ends)
}

// number must come out as it went in. As a count only a whole one will do.
func (f Fixture) number(t *testing.T, b Behaviour) {
	t.Helper()
	want := map[Behaviour]float64{One: 0.25, Whole: 37}[b]
	s := f.Source(t, b)
	a, err := s.Ask(limited(t), time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	if !a.Known || a.Value != want || a.Message != "" {
		t.Errorf("answer %+v, want %g and no message", a, want)
	}
	if n, err := a.Count(); (err == nil) != (b == Whole) || err == nil && n != int64(want) {
		t.Errorf("as a count: %d, error %v", n, err)
	}
	f.always(t, s, a, nil)
}

// nothing is an answer: neither a number, nor a fault.
func (f Fixture) nothing(t *testing.T, b Behaviour) {
	t.Helper()
	s := f.Source(t, b)
	a, err := s.Ask(limited(t), time.Now())
	if err != nil || a.Known {
		t.Errorf("answer %+v, error %v; want no number and no error", a, err)
	}
	f.always(t, s, a, err)
}

// useless answers say why.
func (f Fixture) useless(t *testing.T, b Behaviour) {
	t.Helper()
	s := f.Source(t, b)
	a, err := s.Ask(limited(t), time.Now())
	if err != nil {
		t.Fatalf("unexpected error: %v; an answer without a usable value is an answer with a message", err)
	}
	if a.Known || a.Message == "" {
		t.Errorf("answer %+v, want no number, and a message", a)
	}
	f.always(t, s, a, nil)
}

func (f Fixture) noAnswer(t *testing.T, b Behaviour) {
	t.Helper()
	s := f.Source(t, b)
	a, err := s.Ask(limited(t), time.Now())
	if err == nil {
		t.Fatalf("no error, answer %+v", a)
	}
	if a.Known {
		t.Errorf("answer %+v beside an error, want none", a)
	}
	f.always(t, s, a, err)
	_, again := s.Ask(limited(t), time.Now())
	if again == nil || again.Error() != err.Error() {
		t.Errorf("the same cause reads differently the second time:\n %v\n %v", err, again)
	}
}

// always holds whatever the source does.
func (f Fixture) always(t *testing.T, s Source, a analysis.Answer, err error) {
	t.Helper()
	text := a.Message
	if err != nil {
		text += err.Error()
	}
	if f.Secret != "" && strings.Contains(text, f.Secret) {
		t.Errorf("the secret shows in %q", text)
	}
	if len(text) > 1024 || strings.Contains(text, "\n") {
		t.Errorf("the message is not one short line: %q", text)
	}
	if n := s.Asked(); n > 1 {
		t.Errorf("the source was asked %d times for one answer", n)
	}
}

func (f Fixture) ends(t *testing.T) {
	s := f.Source(t, Hangs)
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	start := time.Now()
	a, err := s.Ask(ctx, time.Now())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("answer %+v, error %v; want context.Canceled", a, err)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("took %s after the context had ended", took)
	}
}

// limited makes a provider without a time limit of its own fail, not hang.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
