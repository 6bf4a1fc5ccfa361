// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// TestErrors reads what people are told when something is amiss.
func TestErrors(t *testing.T) {
	b := newBench(t)
	b.rollout("basket", pausedAt(3))
	b.rollout("checkout", pausedAt(3))
	empty := newBench(t)
	bare := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(bare.Close)
	without := writeKubeconfig(t, &rest.Config{Host: bare.URL}, "shop")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	unreachable := writeKubeconfig(t, &rest.Config{Host: gone.URL}, "shop")

	cases := map[string]struct {
		reason     string
		kubeconfig string
		args       []string
		code       int
		want       string
	}{
		"NotFound": {
			reason: "A wrong name is answered with the right ones.", kubeconfig: b.kubeconfig, args: []string{"get", "chekout"}, code: ExitFailed,
			want: "there is no Rollout " + b.namespace + "/chekout; the namespace has: basket, checkout",
		},
		"NotFoundStatus": {
			reason: "Status tells that it could not find out from a failed release.", kubeconfig: b.kubeconfig,
			args: []string{"status", "chekout", "--wait"}, code: ExitUnknown, want: "the namespace has: basket, checkout",
		},
		"EmptyNamespace": {
			reason: "An empty namespace is probably the wrong one.", kubeconfig: empty.kubeconfig, args: []string{"promote", "checkout"}, code: ExitFailed,
			want: "choose another with -n",
		},
		"NotInstalled": {
			reason: "Without the CRDs one learns how to install them.", kubeconfig: without, args: []string{"get", "checkout"}, code: ExitFailed,
			want: "no CustomResourceDefinition rollouts.sluice.dev: install Sluice",
		},
		"NotInstalledList": {
			reason: "So does list.", kubeconfig: without, args: []string{"list"}, code: ExitFailed, want: "install Sluice",
		},
		"Unreachable": {
			reason: "A server that can't be reached is named.", kubeconfig: unreachable, args: []string{"list"}, code: ExitFailed,
			want: "check that " + gone.URL + " is the cluster you mean",
		},
		"NoSuchContext": {
			reason: "A wrong context is named.", kubeconfig: b.kubeconfig, args: []string{"list", "--context", "moon"}, code: ExitFailed,
			want: `context "moon" does not exist`,
		},
		"NoName": {
			reason: "A missing name says where to find one.", kubeconfig: b.kubeconfig, args: []string{"get"}, code: ExitFailed,
			want: "`kubectl sluice list` shows those there are",
		},
		"OtherKind": {
			reason: "Another kind is refused.", kubeconfig: b.kubeconfig, args: []string{"get", "deployment/checkout"}, code: ExitFailed,
			want: `"deployment" is no kind that this verb knows`,
		},
		"BadFormat": {
			reason: "An unknown format lists the known ones.", kubeconfig: b.kubeconfig, args: []string{"get", "checkout", "-o", "xml"}, code: ExitFailed,
			want: "use wide or json",
		},
		"BadTimeout": {
			reason: "A wait without time is refused.", kubeconfig: b.kubeconfig, args: []string{"status", "checkout", "--timeout", "0s"}, code: ExitUnknown,
			want: "--timeout 0s: must be more than 0",
		},
		"BadFlag": {
			reason: "Wrong usage of status is no failed release.", kubeconfig: b.kubeconfig, args: []string{"status", "checkout", "--until", "1m"}, code: ExitUnknown,
			want: "unknown flag: --until",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := start(t, tc.kubeconfig, tc.args...).end(t)
			if r.code != tc.code || !strings.Contains(r.err.String(), tc.want) {
				t.Errorf("%s\nRun(%v): code %d, err %q; want code %d, err with %q", tc.reason, tc.args, r.code, r.err.String(), tc.code, tc.want)
			}
		})
	}
}

// TestHelp holds every verb to an example.
func TestHelp(t *testing.T) {
	root := newRoot(Env{})
	for _, verb := range root.Commands() {
		if verb.Short == "" || verb.Long == "" || verb.Example == "" {
			t.Errorf("%s: --help needs Short, Long and Example", verb.Name())
		}
	}
}
