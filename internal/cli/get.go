// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/internal/view"
)

const getLong = `Show one rollout as a tree: what is happening and what is waited for, its revisions
with weights and pods, the steps with the current one marked, the analysis with
each metric, an abort, the last command, and every condition that is not as it should be.

With -w the tree is drawn again on every change until Ctrl-C. On a terminal it is redrawn
in place; elsewhere each frame starts with a line "--- TIME". With -o json each frame is one line.

` + readCodes

const getExample = `  kubectl sluice get checkout
  kubectl sluice get rollout checkout -n shop -w
  kubectl sluice get checkout -o wide       with nodes, retired revisions and full messages
  kubectl sluice get checkout -o json       the same tree for programs`

// Output formats of get.
const (
	formatText = ""
	formatWide = "wide"
	formatJSON = "json"
)

func newGet(s *session) *cobra.Command {
	var watch bool
	var format string
	cmd := &cobra.Command{
		Use:               "get [rollout] NAME",
		Short:             "Show a rollout with its revisions, pods, steps and analysis",
		Long:              getLong,
		Example:           getExample,
		ValidArgsFunction: completeName(s),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && isRolloutKind(args[0]) {
				args = args[1:]
			}
			name, err := rolloutName(args)
			if err != nil {
				return err
			}
			if !slices.Contains([]string{formatText, formatWide, formatJSON}, format) {
				return fmt.Errorf("-o %q: unknown format; use wide or json, or leave it out", format)
			}
			return s.get(cmd.Context(), name, format, watch)
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "Draw again on every change, until Ctrl-C")
	cmd.Flags().StringVarP(&format, "output", "o", "", "Output format: wide or json; default a tree that fits most terminals")
	return cmd
}

func (s *session) get(ctx context.Context, name, format string, watch bool) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	r, err := c.rollout(ctx, name)
	if err != nil {
		return err
	}
	parts, err := c.parts(r)
	if err != nil {
		return err
	}
	parts = s.allowed(ctx, c, parts)
	screen := &screen{session: s, format: format, frames: watch}
	if watch {
		return s.watch(ctx, c, name, parts, screen)
	}
	o, err := c.gather(ctx, c.client, name, parts)
	if err != nil {
		return err
	}
	return screen.draw(o)
}

// watch ends without an error when it is interrupted, which is its normal end.
func (s *session) watch(ctx context.Context, c *cluster, name string, parts []part, screen *screen) error {
	err := s.follow(ctx, c, name, parts, func(ctx context.Context, from client.Reader) (bool, error) {
		o, err := c.gather(ctx, from, name, parts)
		if apierrors.IsNotFound(err) {
			return false, fmt.Errorf("the Rollout %s/%s was deleted", c.namespace, name)
		}
		if err != nil {
			return false, err
		}
		return false, screen.draw(o)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// screen is where trees are drawn.
type screen struct {
	*session
	format string
	frames bool
	// at and last are the time and the text of the frame drawn last.
	at   time.Time
	last []byte
}

// wipe moves to the top left corner and empties the terminal below it.
const wipe = "\x1b[H\x1b[2J"

// draw writes a tree, unless people would see nothing new but the time.
func (s *screen) draw(o view.Objects) error {
	o.Now = s.at
	unchanged, err := s.text(view.Build(o))
	if err != nil || bytes.Equal(unchanged, s.last) {
		return err
	}
	s.at = s.Now()
	o.Now = s.at
	if s.last, err = s.text(view.Build(o)); err != nil {
		return err
	}
	if _, err := s.Out.Write(append([]byte(s.separator()), s.last...)); err != nil {
		return fmt.Errorf("write the tree: %w", err)
	}
	return nil
}

// separator precedes a frame.
func (s *screen) separator() string {
	switch {
	case !s.frames || s.format == formatJSON:
		return ""
	case s.Terminal:
		return wipe
	}
	return "--- " + s.at.Format(clockLayout) + "\n"
}

func (s *screen) text(t view.Tree) ([]byte, error) {
	var out bytes.Buffer
	if s.format != formatJSON {
		drawTree(&out, t, look{colour: s.Colour, wide: s.format == formatWide})
		return out.Bytes(), nil
	}
	encoder := json.NewEncoder(&out)
	if !s.frames {
		encoder.SetIndent("", "  ")
	}
	if err := encoder.Encode(t); err != nil {
		return nil, fmt.Errorf("encode the tree: %w", err)
	}
	return out.Bytes(), nil
}
