// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hierarchies lists where control groups are mounted: one folder per controller
// on cgroup v1, a single one on v2.
func hierarchies() ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	return parseHierarchies(string(text)), nil
}

func parseHierarchies(mountinfo string) []string {
	var found []string
	lines := bufio.NewScanner(strings.NewReader(mountinfo))
	for lines.Scan() {
		mount, kind, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		if ok && len(fields) > 4 && strings.HasPrefix(kind, "cgroup") {
			found = append(found, fields[4])
		}
	}
	return found
}

// groups are the cluster's own control group in each hierarchy. All pods live
// below it, because the kubelet is told to use it as its root.
type groups struct{ id string }

// roots are the folders of the groups.
func (g groups) roots() ([]string, error) {
	mounts, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, mount := range mounts {
		dirs = append(dirs, filepath.Join(mount, g.id))
	}
	return dirs, nil
}

func (g groups) make() error {
	dirs, err := g.roots()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making a control group: %w", err)
		}
		if err := inheritCPUs(dir); err != nil {
			return err
		}
		if err := weigh(dir); err != nil {
			return err
		}
	}
	return nil
}

// inheritCPUs gives a new cgroup v1 cpuset what its parent has; the kernel makes
// it empty, and then no process may enter.
func inheritCPUs(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		inherited, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(inherited)) == "" {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a control group: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), inherited, 0o644); err != nil { //nolint:gosec // dir is a folder of the kernel's, found in the list of mounts
			return fmt.Errorf("setting up a control group: %w", err)
		}
	}
	return nil
}

// weigh gives all pods together ten times the processor time that one group gets by
// default. Each process of the machine counts as a group of its own while all pods are
// one, so that on a busy machine they would starve: probes would fail, and requests.
func weigh(dir string) error {
	for name, weight := range map[string]string{"cpu.shares": "10240", "cpu.weight": "1000"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue // another version's name, or a hierarchy without the controller
		}
		if err := os.WriteFile(path, []byte(weight), 0o644); err != nil {
			return fmt.Errorf("weighing a control group: %w", err)
		}
	}
	return nil
}

// processes lists those in the groups, which are the containers'.
func (g groups) processes() []process {
	found := map[int]process{}
	for _, dir := range g.tree() {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue
		}
		for _, line := range strings.Fields(string(text)) {
			pid, _ := strconv.Atoi(line)
			if p, ok := lookup(pid); ok {
				found[pid] = p
			}
		}
	}
	all := make([]process, 0, len(found))
	for _, p := range found {
		all = append(all, p)
	}
	return all
}

// tree lists every control group of the cluster, the deepest first.
func (g groups) tree() []string {
	roots, err := g.roots()
	if err != nil {
		return nil
	}
	var tree []string
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				tree = append(tree, path)
			}
			return nil // groups come and go while we look
		})
	}
	slices.Reverse(tree)
	return tree
}

func (g groups) drop() error {
	var failed []error
	for _, dir := range g.tree() {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
