// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	rest := " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2000"
	cases := map[string]struct {
		reason, line, state, start string
		ok                         bool
	}{
		"Plain":  {reason: "The start time is the 22nd field.", line: "12 (etcd) S" + rest, state: "S", start: "98765", ok: true},
		"Spaces": {reason: "A name may hold blanks and parentheses.", line: "12 (a) b (c) Z" + rest, state: "Z", start: "98765", ok: true},
		"Broken": {reason: "A line cut short says nothing.", line: "12 (etcd) S 1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			state, start, ok := parseStat(tc.line)
			if state != tc.state || start != tc.start || ok != tc.ok {
				t.Errorf("%s Got %q, %q, %t.", tc.reason, state, start, ok)
			}
		})
	}
}

//nolint:dupword // that is what the kernel writes
const mountinfo = `22 1 8:1 / / rw shared:1 - ext4 /dev/vda rw
23 22 0:5 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
24 22 0:6 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
30 22 0:7 / /var/lib/x/pods/a\040b rw - tmpfs tmpfs rw
31 22 0:8 / /var/lib/x/pods rw - tmpfs tmpfs rw
32 22 0:9 / /var/lib/xyz rw - tmpfs tmpfs rw
33 31 0:9 / /var/lib/x/pods/a\040b rw - overlay overlay rw
`

func TestParseMounts(t *testing.T) {
	want := []string{"/var/lib/x/pods/a b", "/var/lib/x/pods/a b", "/var/lib/x/pods"}
	if diff := cmp.Diff(want, parseMounts(mountinfo, "/var/lib/x")); diff != "" {
		t.Errorf("Mounts, the deepest first and nobody else's (-want +got):\n%s", diff)
	}
}

func TestParseHierarchies(t *testing.T) {
	want := []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"}
	if diff := cmp.Diff(want, parseHierarchies(mountinfo)); diff != "" {
		t.Errorf("Hierarchies of both versions (-want +got):\n%s", diff)
	}
}

func TestKubernetesTables(t *testing.T) {
	want := []string{"packet filter table ip kube-proxy"}
	if diff := cmp.Diff(want, kubernetesTables("table ip kube-proxy\ntable inet firewall\n")); diff != "" {
		t.Errorf("Tables (-want +got):\n%s", diff)
	}
}

func TestBrief(t *testing.T) {
	cases := map[string]struct{ reason, text, want string }{
		"Checks": {reason: "Of a list of checks only the failed one matters.",
			text: `an error ("[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok")`, want: "etcd failed: reason withheld"},
		"Lines": {reason: "A progress line is one line.", text: "first\nsecond", want: "first"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := brief(errors.New(tc.text)); got != tc.want {
				t.Errorf("%s Got %q, want %q.", tc.reason, got, tc.want)
			}
		})
	}
}

func TestSplitLoad(t *testing.T) {
	ref, binary, err := SplitLoad("shop:v1=bin/shop")
	if ref != "shop:v1" || binary != "bin/shop" || err != nil {
		t.Errorf("Got %q, %q, %v.", ref, binary, err)
	}
	for _, wrong := range []string{"shop", "shop=bin/shop", "shop:v1="} {
		if _, _, err := SplitLoad(wrong); err == nil {
			t.Errorf("%q was taken for NAME:TAG=PATH.", wrong)
		}
	}
}
