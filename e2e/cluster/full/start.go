// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"os"
)

// starter brings up a cluster of which nothing is there yet.
type starter struct {
	site
	groups  groups
	servers servers
	tell    progress
	units   []unit
	tools   map[string]string
}

// start leaves a mark only when all is up; see layout.complete.
func (s starter) start(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	settings, err := writeAccess(s.at, s.units)
	if err != nil {
		return err
	}
	if err := s.startParts(ctx, inputs{tools: s.tools, settings: settings}); err != nil {
		return err
	}
	return os.WriteFile(s.at.complete(), nil, 0o644)
}

// prepare makes everything that servers need and that is not a secret.
func (s starter) prepare(ctx context.Context) error {
	plugins, err := cniDir()
	if err != nil {
		return err
	}
	for _, dir := range s.at.folders() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the state folder: %w", err)
		}
	}
	if err := book.enter(s.at); err != nil {
		return err
	}
	if err := s.groups.make(); err != nil {
		return err
	}
	if err := s.net.make(ctx); err != nil {
		return err
	}
	if err := writeConfigs(s.at.facts(plugins), s.units); err != nil {
		return err
	}
	return writeKubectl(s.at, s.tools["kube"])
}

// startParts starts the parts in the order in which they need each other, and as
// many at once as can be.
func (s starter) startParts(ctx context.Context, in inputs) error {
	parts := partsOf(s.units)
	if err := s.servers.startAll(first.of(parts), in); err != nil {
		return err
	}
	if err := s.servers.awaitAll(ctx, first.of(parts)); err != nil {
		return err
	}
	if err := s.servers.startAll(afterFirst.of(parts), in); err != nil {
		return err
	}
	if err := s.tell.waitFor(ctx, "pause image", s.loadPause); err != nil {
		return err
	}
	if err := s.servers.startAll(afterImages.of(parts), in); err != nil {
		return err
	}
	if err := s.tell.waitFor(ctx, "definitions and manifests", s.applyManifests); err != nil {
		return err
	}
	if err := s.servers.startAll(afterManifests.of(parts), in); err != nil {
		return err
	}
	return s.settle(ctx, parts)
}

// settle waits until every part serves and every check holds.
func (s starter) settle(ctx context.Context, parts []part) error {
	for _, stage := range []stage{afterManifests, afterFirst, afterImages} {
		if err := s.servers.awaitAll(ctx, stage.of(parts)); err != nil {
			return err
		}
	}
	for _, u := range s.units {
		for _, c := range u.checks {
			if err := s.tell.waitFor(ctx, c.what, c.ready); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadPause loads the image that every pod starts with.
func (s starter) loadPause(ctx context.Context) error {
	return images{at: s.at, packer: s.tools["image"]}.load(ctx, pauseImage, s.tools["pause"])
}

func (s starter) applyManifests(ctx context.Context) error { return s.api.apply(ctx, s.units) }
