// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// system is where administration programs are, whatever the caller's PATH says.
const system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// needs maps each program that the cluster runs to the Debian package with it.
var needs = map[string]string{
	"containerd": "containerd", "ctr": "containerd", "runc": "runc", "nft": "nftables", "iptables": "iptables",
	"conntrack": "conntrack", "ip": "iproute2", "nsenter": "util-linux",
}

// cniDirs are where distributions put the CNI plugins.
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// cniPlugins are the plugins that pods are connected with.
var cniPlugins = []string{"ptp", "host-local", "portmap", "loopback"}

// ErrNotRoot means that the full tier was asked for without the rights it needs.
var ErrNotRoot = errors.New("the full tier needs root: it makes a network namespace, mounts and control groups. " +
	"Run it as root, or set E2E_CONTEXT=<kubeconfig context> to run the stories on a cluster that you have")

func requireRoot() error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	// Everything below finds its programs through PATH.
	return os.Setenv("PATH", os.Getenv("PATH")+":"+system)
}

// missingPackages lists the Debian packages whose programs are not there.
func missingPackages() []string {
	var missing []string
	for program, pkg := range needs {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, pkg)
		}
	}
	if _, err := cniDir(); err != nil {
		missing = append(missing, "containernetworking-plugins")
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// cniDir is the folder that holds every plugin.
func cniDir() (string, error) {
	for _, dir := range cniDirs {
		lacks := slices.ContainsFunc(cniPlugins, func(plugin string) bool {
			_, err := os.Stat(filepath.Join(dir, plugin))
			return err != nil
		})
		if !lacks {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no folder of %s holds the CNI plugins %s",
		strings.Join(cniDirs, ", "), strings.Join(cniPlugins, ", "))
}

// ensurePackages installs what is missing, if this machine has apt.
func ensurePackages(ctx context.Context, out io.Writer) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("these programs are missing; install them (Debian's names): %s", strings.Join(missing, " "))
	}
	fmt.Fprintf(out, "  installing Debian packages: %s\n", strings.Join(missing, " "))
	restore, err := denyServices()
	if err != nil {
		return err
	}
	defer restore()
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	if err := apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, missing...)...); err != nil {
		return err
	}
	if missing = missingPackages(); len(missing) > 0 {
		return fmt.Errorf("still missing after the installation: %s", strings.Join(missing, " "))
	}
	return nil
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return nil
}

// denyServices keeps the packages from starting services of their own, such as
// containerd's: Debian asks this file before it starts any. Where the file
// exists, the machine's owner has decided already.
func denyServices() (restore func(), err error) {
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Lstat(policy); err == nil {
		return func() {}, nil
	}
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return nil, fmt.Errorf("keeping packages from starting services: %w", err)
	}
	return func() { _ = os.Remove(policy) }, nil
}
