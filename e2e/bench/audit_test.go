// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// log is an audit log in the server's own form, cut to what matters.
const log = `
{"stage":"ResponseComplete","verb":"get","userAgent":"sluice/v1","objectRef":{"resource":"rollouts"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.900000Z"}
{"stage":"ResponseComplete","verb":"patch","userAgent":"sluice/v1","objectRef":{"resource":"rollouts","subresource":"status"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:01.000000Z"}
{"stage":"ResponseComplete","verb":"patch","userAgent":"sluice/v1","objectRef":{"resource":"rollouts","subresource":"status"},"responseStatus":{"code":409},"requestReceivedTimestamp":"2026-01-01T00:00:02.000000Z"}
{"stage":"ResponseComplete","verb":"patch","userAgent":"sluice/v1","objectRef":{"resource":"rollouts","subresource":"status"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:02.100000Z"}
{"stage":"ResponseComplete","verb":"patch","userAgent":"sluice-bench/x","objectRef":{"resource":"rollouts"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:02.200000Z"}
{"stage":"ResponseComplete","verb":"update","userAgent":"sluice/v1/leader-election","objectRef":{"resource":"leases"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:03.000000Z"}
{"stage":"ResponseStarted","verb":"watch","userAgent":"sluice/v1","objectRef":{"resource":"services"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:04.000000Z"}
{"stage":"ResponseComplete","verb":"watch","userAgent":"sluice/v1","objectRef":{"resource":"services"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:04.000000Z"}
{"stage":"ResponseComplete","verb":"create","userAgent":"sluice/v1","objectRef":{"resource":"events"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-01-01T00:00:05.000000Z"}
{"stage":"ResponseComplete","verb":"get","userAgent":"sluice/v1","requestURI":"/api","responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:05.100000Z"}
{"stage":"ResponseComplete","verb":"list","userAgent":"sluice/v1","objectRef":{"resource":"replicasets"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:06.000000Z"}
{"stage":"ResponseCompl`

func TestCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(strings.TrimPrefix(log, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	second := func(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC) }
	cases := map[string]struct {
		reason string
		during span
		want   counted
	}{
		"Bounded": {
			reason: "The start belongs to a span and the end does not; others' requests never do.",
			during: span{second(1), second(6)},
			want: counted{
				kindWrite: {"patch rollouts/status": 2, "patch rollouts/status (answered 409)": 1},
				kindLease: {"update leases": 1}, kindWatch: {"watch services": 1},
				kindEvent: {"create events": 1}, kindOther: {"get /api": 1},
			},
		},
		"Open": {
			reason: "Without an end everything since the start counts, but no line that is half written.",
			during: span{from: second(6)},
			want:   counted{kindRead: {"list replicasets": 1}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := count(path, tc.during)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRows(t *testing.T) {
	c := counted{kindWrite: {"patch services": 2, "create replicasets": 2, "patch rollouts/status": 9}}
	want := []string{"  9 patch rollouts/status", "  2 create replicasets", "  2 patch services"}
	if diff := cmp.Diff(want, c.rows(kindWrite)); diff != "" {
		t.Errorf("The most frequent first, and never in another order (-want +got):\n%s", diff)
	}
	if got := c.of(kindWrite); got != 13 {
		t.Errorf("Counted %d writes, want 13.", got)
	}
}

func TestSlowestRoute(t *testing.T) {
	at := func(ms int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, ms*int(time.Millisecond), time.UTC) }
	asked := func(resource, subresource string, received, answered int) request {
		r := request{Verb: "patch", Received: at(received), Answered: at(answered)}
		r.Object = &object{Resource: resource, Subresource: subresource}
		return r
	}
	cases := map[string]struct {
		reason string
		all    []request
		want   time.Duration
	}{
		"None": {reason: "Without a route there is no wait.", all: []request{asked("rollouts", "status", 1, 5)}},
		"Slowest": {
			reason: "Each route waits since the last decision before it, whatever the order of the log; statuses of routes are no writes of them.",
			all: []request{
				asked("httproutes", "", 110, 150), asked("rollouts", "status", 100, 105), asked("rollouts", "status", 200, 205),
				asked("httproutes", "", 220, 230), asked("httproutes", "status", 300, 900), asked("rollouts", "", 10, 20),
			},
			want: 50 * time.Millisecond,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := slowestRoute(tc.all); got != tc.want {
				t.Errorf("%s\ngot %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}
