// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/e2e/cluster"
)

func TestForTests(t *testing.T) {
	cases := map[string]struct {
		reason, server, allowed string
		ok                      bool
	}{
		"Loopback": {reason: "A cluster on this machine is the developer's own.", server: "https://127.0.0.1:6443", ok: true},
		"IPv6":     {reason: "Loopback has another form.", server: "https://[::1]:6443", ok: true},
		"Name":     {reason: "And a name.", server: "https://localhost:6443", ok: true},
		"Remote":   {reason: "A shell's KUBECONFIG may lead to production.", server: "https://cluster.example:6443"},
		"Allowed":  {reason: "Who names the server means it.", server: "https://cluster.example:6443", allowed: "cluster.example", ok: true},
		"Another":  {reason: "Another name allows nothing.", server: "https://cluster.example:6443", allowed: "example"},
		"Unnamed":  {reason: "No address is not this machine.", server: ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := forTests(tc.server, tc.allowed); (err == nil) != tc.ok {
				t.Errorf("%s Got %v.", tc.reason, err)
			}
		})
	}
}

func TestSuppliedBinaries(t *testing.T) {
	folder := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	two, three := folder("etcd", "kube-apiserver"), folder("etcd", "kube-apiserver", "kube-controller-manager")
	cases := map[string]struct {
		reason, dir string
		want        cluster.Binaries
		fails       bool
	}{
		"None":  {reason: "Without a wish ours are built."},
		"Two":   {reason: "envtest's folder has no controller manager.", dir: two, want: cluster.Binaries{Etcd: two + "/etcd", APIServer: two + "/kube-apiserver"}},
		"Three": {reason: "One that is there is used.", dir: three, want: cluster.Binaries{Etcd: three + "/etcd", APIServer: three + "/kube-apiserver", ControllerManager: three + "/kube-controller-manager"}},
		"Half":  {reason: "Half a folder is a mistake.", dir: folder("etcd"), fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := suppliedBinaries(tc.dir)
			if diff := cmp.Diff(tc.want, got); diff != "" || (err != nil) != tc.fails {
				t.Errorf("%s Error %v, (-want +got):\n%s", tc.reason, err, diff)
			}
		})
	}
}
