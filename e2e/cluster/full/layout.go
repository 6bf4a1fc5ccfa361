// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// defaultDir is where the cluster keeps its state unless told otherwise. It has
// to be short: the path of a socket has at most 107 characters.
const defaultDir = "/var/lib/sluice-cluster"

// maxDir is the longest state folder that leaves room for the sockets' names.
const maxDir = 60

// layout says where everything of one cluster is.
type layout struct {
	dir string // state folder
	// id names the network namespace and the control groups.
	id string
}

// newLayout takes the folder from $SLUICE_CLUSTER_DIR. A cluster in another
// folder than the default one has a namespace of its own too.
func newLayout() (layout, error) {
	dir := os.Getenv("SLUICE_CLUSTER_DIR")
	if dir == "" {
		return layout{dir: defaultDir, id: "sluice"}, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, fmt.Errorf("resolving SLUICE_CLUSTER_DIR: %w", err)
	}
	if len(dir) > maxDir {
		return layout{}, fmt.Errorf("SLUICE_CLUSTER_DIR=%s is too long for sockets; use at most %d characters", dir, maxDir)
	}
	if dir == defaultDir {
		return layout{dir: dir, id: "sluice"}, nil
	}
	sum := sha256.Sum256([]byte(dir))
	return layout{dir: dir, id: "sluice-" + hex.EncodeToString(sum[:3])}, nil
}

func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

func (l layout) kubeconfig(who string) string { return l.path(who + ".kubeconfig") }
func (l layout) log(part string) string       { return l.path("logs", part+".log") }
func (l layout) record(part string) string    { return l.path("run", part+".json") }
func (l layout) netns() string                { return filepath.Join(netnsDir, l.id) }
func (l layout) containerdSocket() string     { return l.path("containerd.sock") }
func (l layout) complete() string             { return l.path("complete") }
func (l layout) auditLog() string             { return l.path("logs", "audit.log") }

// folders that have to be there before anything starts.
func (l layout) folders() []string {
	return []string{
		l.dir, l.path("logs"), l.path("run"), l.path("bin"), l.path("cni"), l.path("images"), l.path("kubelet"),
		l.path("pod-logs"), l.path("volume-plugins"), l.path("prometheus"),
	}
}
