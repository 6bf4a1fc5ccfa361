// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Leftovers lists in words everything on this machine that belongs to the
// cluster. After Down it is empty; while the cluster runs it is long.
func (c *Cluster) Leftovers(ctx context.Context) ([]string, error) {
	var left []string
	for _, p := range c.processes() {
		left = append(left, fmt.Sprintf("process %d: %s", p.PID, p.command()))
	}
	points, err := mountsUnder(c.at.dir)
	if err != nil {
		return nil, err
	}
	for _, point := range points {
		left = append(left, "mount "+point)
	}
	for _, dir := range c.groupTree() {
		left = append(left, "control group "+dir)
	}
	if _, err := os.Lstat(c.at.netns()); err == nil {
		left = append(left, "network namespace "+c.at.id)
	}
	if _, err := os.Lstat(c.at.dir); err == nil {
		left = append(left, "folder "+c.at.dir)
	}
	atLarge, err := book.leftovers(c.at)
	if err != nil {
		return nil, err
	}
	left = append(left, atLarge...)
	left = append(left, hostRules(ctx)...)
	slices.Sort(left)
	return left, nil
}

// hostRules lists packet filter tables of Kubernetes in the caller's own
// namespace. The cluster never makes any there; this proves it.
func hostRules(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "nft", "list", "tables").Output()
	if err != nil {
		return nil // no nft, or none of its tables can be read: nothing of ours
	}
	return kubernetesTables(string(out))
}

func kubernetesTables(list string) []string {
	var found []string
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, " kube-proxy") {
			found = append(found, "packet filter "+line)
		}
	}
	return found
}
