// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
)

// Colours of a terminal.
const (
	plain = "\x1b[0m"
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	blue  = "\x1b[36m"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// screen writes to a terminal in colour, and to anything else without.
type screen struct {
	out        io.Writer
	colour     bool
	transcript *os.File
	failed     error
}

func newScreen(out *os.File, transcript string) (*screen, error) {
	s := &screen{out: out}
	if info, err := out.Stat(); err == nil {
		s.colour = info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	}
	if transcript == "" {
		return s, nil
	}
	var err error
	if s.transcript, err = os.Create(transcript); err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	return s, nil
}

// Write implements io.Writer. Colours are taken out where they are not wanted.
func (s *screen) Write(text []byte) (int, error) {
	bare := escapes.ReplaceAll(text, nil)
	shown := bare
	if s.colour {
		shown = text
	}
	if s.transcript != nil {
		if _, err := s.transcript.Write(bare); err != nil && s.failed == nil {
			s.failed = fmt.Errorf("transcript: %w", err)
		}
	}
	if _, err := s.out.Write(shown); err != nil {
		return 0, err
	}
	return len(text), nil
}

// say writes a line.
func (s *screen) say(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// title writes a line that begins a part.
func (s *screen) title(text string) { s.say("\n"+bold+"%s"+plain, text) }

// Close ends the transcript, and gives the first error of writing it.
func (s *screen) Close() error {
	if s.transcript == nil {
		return nil
	}
	if err := s.transcript.Close(); err != nil && s.failed == nil {
		s.failed = fmt.Errorf("transcript: %w", err)
	}
	return s.failed
}
