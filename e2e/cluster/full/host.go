// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// netnsDir is where ip keeps network namespaces; it mounts the folder onto
// itself with the first one.
const netnsDir = "/run/netns"

// footprints are folders outside the state folder whose place kubelet,
// containerd, ip and the CNI plugins do not let us choose.
var footprints = []string{
	"/run/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/opt/containerd", "/etc/cni", "/opt/cni",
	netnsDir,
}

// foreign are files in footprints that only another cluster or runtime makes.
// Where one has appeared, somebody else lives there now.
var foreign = []string{"containerd.sock", "config.yaml", "net.d"}

// kernelSettings are settings of the whole machine that a kubelet changes when
// it starts, by their path below /proc/sys.
var kernelSettings = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// host is how the machine was before its first cluster came, as far as clusters
// change it outside their own folders.
type host struct {
	// Absent are the footprints that did not exist.
	Absent []string `json:"absent"`
	// Settings are the values of the kernel settings.
	Settings map[string]string `json:"settings"`
}

// sysctl is the file of a kernel setting.
func sysctl(name string) string { return "/proc/sys/" + name }

func lookAtHost() host {
	h := host{Settings: map[string]string{}}
	for _, path := range footprints {
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			h.Absent = append(h.Absent, path)
		}
	}
	for _, name := range kernelSettings {
		if text, err := os.ReadFile(sysctl(name)); err == nil {
			h.Settings[name] = strings.TrimSpace(string(text))
		}
	}
	return h
}

// save writes the record whole or not at all.
func (h host) save(path string) error {
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("noting the state of the machine: %w", err)
	}
	if err := os.WriteFile(path+".new", text, 0o644); err != nil {
		return fmt.Errorf("noting the state of the machine: %w", err)
	}
	return os.Rename(path+".new", path)
}

// loadHost reads a record; without one there is nothing to restore.
func loadHost(path string) (host, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return host{}, nil
	}
	if err != nil {
		return host{}, fmt.Errorf("reading the noted state of the machine: %w", err)
	}
	var h host
	if err := json.Unmarshal(text, &h); err != nil {
		return host{}, fmt.Errorf("reading the noted state of the machine: %w", err)
	}
	return h, nil
}

// taken tells whether somebody else has moved into a footprint.
func taken(path string) bool {
	if path == netnsDir {
		entries, err := os.ReadDir(path)
		return err == nil && len(entries) > 0
	}
	return slices.ContainsFunc(foreign, func(name string) bool {
		_, err := os.Lstat(filepath.Join(path, name))
		return err == nil
	})
}

// differences lists in words what is not as it was.
func (h host) differences() []string {
	var found []string
	for _, path := range h.Absent {
		if _, err := os.Lstat(path); err == nil && !taken(path) {
			found = append(found, "folder "+path)
		}
	}
	now := lookAtHost()
	for name, value := range h.Settings {
		if now.Settings[name] != value {
			found = append(found, fmt.Sprintf("kernel setting %s=%s (was %s)", name, now.Settings[name], value))
		}
	}
	slices.Sort(found)
	return found
}

// restore makes the machine as it was.
func (h host) restore() error {
	for _, path := range h.Absent {
		if taken(path) {
			continue
		}
		if err := unmountUnder(path); err != nil {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing %s: %w", path, err)
		}
	}
	now := lookAtHost()
	for name, value := range h.Settings {
		if now.Settings[name] == value {
			continue
		}
		if err := os.WriteFile(sysctl(name), []byte(value), 0o644); err != nil {
			return fmt.Errorf("restoring a kernel setting: %w", err)
		}
	}
	if left := h.differences(); len(left) > 0 {
		return fmt.Errorf("the machine is not as it was: %s", strings.Join(left, ", "))
	}
	return nil
}
