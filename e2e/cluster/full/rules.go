// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"os/exec"
	"strings"
)

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
