// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
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
	const gone = "http://127.0.0.1:1" // not a port that was free a moment ago, which anybody may take
	unreachable := writeKubeconfig(t, &rest.Config{Host: gone}, "shop")

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
		"NoNamespace": {
			reason: "A namespace that is not there is named, with those that are.", kubeconfig: b.kubeconfig, args: []string{"get", "checkout", "-n", "shpo"}, code: ExitFailed,
			want: "there is no namespace shpo; choose another with -n: ",
		},
		"NoNamespaceList": {
			reason: "An empty list of it would mislead.", kubeconfig: b.kubeconfig, args: []string{"list", "-n", "shpo"}, code: ExitFailed, want: "there is no namespace shpo",
		},
		"NoNamespaceStatus": {
			reason: "Nor is it a failed release.", kubeconfig: b.kubeconfig, args: []string{"status", "checkout", "-n", "shpo"}, code: ExitUnknown, want: "there is no namespace shpo",
		},
		"NoRights": {
			reason: "Who may not look learns what to ask for.", kubeconfig: b.kubeconfig, args: []string{"get", "checkout", "--as", "nobody"}, code: ExitFailed,
			want: "ask for ClusterRole sluice-view to look, or sluice-release-manager to command, in namespace " + b.namespace,
		},
		"NoRightsStatus": {
			reason: "And a pipeline does not take it for a failed release.", kubeconfig: b.kubeconfig,
			args: []string{"status", "checkout", "--as", "nobody"}, code: ExitUnknown, want: `User "nobody" cannot get resource "rollouts"`,
		},
		"NotInstalled": {
			reason: "Without the CRDs one learns how to install them.", kubeconfig: without, args: []string{"get", "checkout"}, code: ExitFailed,
			want: "no CustomResourceDefinition rollouts.sluice.dev: Sluice is not installed here; install it from its repository with",
		},
		"NotInstalledList": {
			reason: "So does list.", kubeconfig: without, args: []string{"list"}, code: ExitFailed, want: "Sluice is not installed here",
		},
		"Unreachable": {
			reason: "A server that can't be reached is named.", kubeconfig: unreachable, args: []string{"list"}, code: ExitFailed,
			want: "check that " + gone + " is the cluster you mean",
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

// TestHelp holds every verb to an example, and to what its exit codes mean.
func TestHelp(t *testing.T) {
	root := newRoot(Env{})
	for _, verb := range append(root.Commands(), root) {
		if verb.Short == "" || verb.Long == "" || verb.Example == "" {
			t.Errorf("%s: --help needs Short, Long and Example", verb.Name())
		}
		if !strings.Contains(verb.Long, "Exit codes:\n  0    ") {
			t.Errorf("%s: --help does not say what the exit codes mean", verb.Name())
		}
		for line := range strings.SplitSeq(verb.Long+"\n"+verb.Example, "\n") {
			if len(line) > 110 {
				t.Errorf("%s: --help has a line of %d letters: %s", verb.Name(), len(line), line)
			}
			if name, found := namedVerb(line); found && !known(root, name) {
				t.Errorf("%s: --help names the verb %q, which there is not: %s", verb.Name(), name, line)
			}
		}
	}
	var help strings.Builder
	if code := Run(t.Context(), Env{Out: &help, Err: &help}, []string{"pause", "--help"}); code != ExitOK || strings.Contains(help.String(), "--certificate-authority") ||
		!strings.Contains(help.String(), "-n NAMESPACE, --context") || strings.Count(help.String(), "\n") > 30 {
		t.Errorf("pause --help: code %d, or the flags of every verb stand between its own:\n%s", code, help.String())
	}
	// After an abort people ask for the way on.
	if abort, _, _ := root.Find([]string{"abort"}); !strings.Contains(abort.Long, "kubectl sluice retry NAME") {
		t.Error("abort: --help does not tell of retry")
	}
}

// namedVerb is the verb that a line of help calls.
func namedVerb(line string) (string, bool) {
	_, rest, found := strings.Cut(line, "kubectl sluice ")
	name, _, _ := strings.Cut(rest, " ")
	return strings.Trim(name, ".,`"), found && name != ""
}

func known(root *cobra.Command, name string) bool {
	found, _, err := root.Find([]string{name})
	return err == nil && found != root
}

// TestCompletion presses the tab key, as kubectl does by kubectl_complete-sluice.
func TestCompletion(t *testing.T) {
	b := newBench(t)
	b.rollout("basket", healthy())
	b.rollout("checkout", pausedAt(3))
	b.report("checkout", func(st *v1alpha1.RolloutStatus) {
		st.Revisions = []v1alpha1.RevisionStatus{{Hash: stableHash, Number: 1, Role: v1alpha1.RoleStable}}
	})
	gone := writeKubeconfig(t, &rest.Config{Host: "http://127.0.0.1:1"}, "shop")
	for name, tc := range map[string]struct {
		reason, kubeconfig string
		args               []string
		want               string
	}{
		"Names":     {"Every verb of a Rollout knows those there are.", b.kubeconfig, []string{"abort", ""}, "basket\tHealthy\ncheckout\tPaused\n:4\n"},
		"Kind":      {"The kind may come before.", b.kubeconfig, []string{"get", "rollout", ""}, "basket\tHealthy\ncheckout\tPaused\n:4\n"},
		"Second":    {"There is no second name.", b.kubeconfig, []string{"abort", "checkout", ""}, ":4\n"},
		"Revision":  {"So does undo know the revisions.", b.kubeconfig, []string{"undo", "checkout", "--to-revision", ""}, stableHash + "\n:4\n"},
		"Namespace": {"And every verb the namespaces.", b.kubeconfig, []string{"list", "-n", b.namespace[:len(b.namespace)-1]}, b.namespace + "\n"},
		"Gone":      {"A cluster that is away is no error.", gone, []string{"abort", ""}, ":4\n"},
		"Verb":      {"Verbs are known without any cluster.", gone, []string{"ret"}, "retry\tRelease an aborted revision again, from the first step\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", tc.kubeconfig)
			var out, problems strings.Builder
			code := Run(t.Context(), Env{Out: &out, Err: &problems, Now: now}, append([]string{"__complete"}, tc.args...))
			if code != ExitOK || !strings.Contains(out.String(), tc.want) || strings.HasPrefix(tc.want, ":") && out.String() != tc.want {
				t.Errorf("%s\ncode %d, %q, want %q; err %s", tc.reason, code, out.String(), tc.want, problems.String())
			}
		})
	}
}
