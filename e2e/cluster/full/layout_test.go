// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"sigs.k8s.io/yaml"
)

func TestNewLayout(t *testing.T) {
	cases := map[string]struct {
		reason, dir, wantDir string
		sameID, fails        bool
	}{
		"Default": {reason: "Without a wish it is the default.", wantDir: defaultDir, sameID: true},
		"Named":   {reason: "The default may be named.", dir: defaultDir + "/", wantDir: defaultDir, sameID: true},
		"Other":   {reason: "Another folder is another cluster.", dir: "/srv/x", wantDir: "/srv/x"},
		"Long":    {reason: "A socket's path must fit.", dir: "/" + strings.Repeat("x", maxDir), fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SLUICE_CLUSTER_DIR", tc.dir)
			got, err := newLayout()
			if tc.fails {
				if err == nil {
					t.Errorf("%s Got %+v.", tc.reason, got)
				}
				return
			}
			if err != nil || got.dir != tc.wantDir || (got.id == "sluice") != tc.sameID {
				t.Errorf("%s Got %+v, %v.", tc.reason, got, err)
			}
		})
	}
}

// TestEnvironment: whoever's KUBECONFIG is set must not end up on that cluster.
func TestEnvironment(t *testing.T) {
	t.Setenv("PATH", "/usr/bin")
	at := layout{dir: "/var/lib/x", id: "x"}
	want := []string{
		"HOME=/root", "KUBECONFIG=/var/lib/x/admin.kubeconfig", "PATH=/var/lib/x/bin:/usr/bin",
		"SLUICE_GATEWAY_URL=" + GatewayURL, "SLUICE_PROMETHEUS_URL=" + PrometheusURL,
	}
	got := environment([]string{"KUBECONFIG=/production", "HOME=/root", "PATH=/usr/bin"}, at)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Each variable once, and the cluster's (-want +got):\n%s", diff)
	}
}

// TestRender checks that every template is filled in and, where it is YAML, that
// it can be read.
func TestRender(t *testing.T) {
	entries, err := assets.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	at := layout{dir: "/var/lib/x", id: "x"}
	for _, entry := range entries {
		t.Run(entry.Name(), func(t *testing.T) {
			text, err := render(entry.Name(), at.facts("/usr/lib/cni"))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("{{")) || bytes.Contains(text, []byte("<no value>")) {
				t.Errorf("Something is not filled in:\n%s", text)
			}
			if filepath.Ext(entry.Name()) == ".toml" {
				return
			}
			for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
				if err := yaml.Unmarshal(document, &map[string]any{}); err != nil {
					t.Errorf("%v in\n%s", err, document)
				}
			}
		})
	}
}

// A file that a caller hands down open, as flock does with its lock, does not
// stay open in a server.
func TestKeepOpenFiles(t *testing.T) {
	fd, err := unix.Open(filepath.Join(t.TempDir(), "lock"), unix.O_CREAT|unix.O_RDWR, 0o600) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := keepOpenFiles(); err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %d, %v; want the file to be closed in programs that are started", flags, err)
	}
}
