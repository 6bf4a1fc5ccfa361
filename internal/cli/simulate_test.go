// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// simulated runs the verb with arguments as a person types them.
func simulated(t *testing.T, args ...string) (out, problem string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(t.Context(), Env{Out: &stdout, Err: &stderr, Now: now, NewID: func() string { return "id-1" }}, append([]string{"simulate"}, args...))
	return stdout.String(), stderr.String(), code
}

// TestSimulate compares whole timelines with testdata/simulate/NAME.golden.
func TestSimulate(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		args   []string
	}{
		"good-canary":     {"steps, a person and an analysis", []string{"-f", "canary.yaml"}},
		"bad-canary":      {"the abort, and what it cost", []string{"-f", "canary.yaml", "--bad-at", "5", "--traffic", "200"}},
		"good-blue-green": {"a switch that waits for a person", []string{"-f", "blue-green.yaml"}},
		"bad-blue-green":  {"and goes back", []string{"-f", "blue-green.yaml", "--bad-at", "4", "--traffic", "100"}},
		"rolling":         {"no strategy at all", []string{"-f", "rolling.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{}, test.args...)
			args[1] = filepath.Join("testdata", "simulate", args[1])
			out, problem, code := simulated(t, args...)
			if code != ExitOK {
				t.Fatalf("%s: exit code %d: %s", test.reason, code, problem)
			}
			path := filepath.Join("testdata", "simulate", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out); diff != "" {
				t.Errorf("%s: %s (-want +got; -update rewrites it):\n%s", test.reason, path, diff)
			}
		})
	}
}

// TestSimulateTranscript: the transcript in the guide is what the verb prints.
func TestSimulateTranscript(t *testing.T) {
	const page, begin, end = "../../docs/kubectl-plugin.md", "<!-- simulate:begin -->\n```text\n", "```\n<!-- simulate:end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), begin)
	shown, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s lacks the marks around its transcript", page)
	}
	out, problem, code := simulated(t, "-f", "testdata/simulate/canary.yaml", "--bad-at", "5", "--traffic", "200")
	if code != ExitOK {
		t.Fatal(problem)
	}
	if *update {
		if err := os.WriteFile(page, []byte(head+begin+out+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(shown, out); diff != "" {
		t.Errorf("%s (-shown +printed; -update rewrites it):\n%s", page, diff)
	}
}

func TestSimulateRefuses(t *testing.T) {
	const head = "apiVersion: sluice.dev/v1alpha1\nkind: Rollout\nmetadata: {name: shop}\n"
	const pods = "  selector: {matchLabels: {app: shop}}\n  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: shop}]}}\n"
	const routes = "stableService: a, canaryService: b, routes: [{apiVersion: g/v1, kind: HTTPRoute, name: a}], "
	for name, test := range map[string]struct {
		reason, file string
		args         []string
		want         string
	}{
		"no file":       {"there is nothing to play", "", nil, "give a file with a Rollout by -f FILE"},
		"no Rollout":    {"nor here", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", nil, "holds no Rollout of sluice.dev/v1alpha1"},
		"several":       {"which one would be a guess", head + "spec:\n" + pods + "---\n" + strings.Replace(head, "shop", "till", 1) + "spec:\n" + pods, nil, "several Rollouts: shop, till; name the one to play"},
		"other name":    {"it says what there is", head + "spec:\n" + pods, []string{"till"}, "holds no Rollout till, but shop"},
		"unknown field": {"a typo must not be lost", head + "spec:\n" + pods + "  replica: 3\n", nil, `Rollout shop: error unmarshaling JSON: while decoding JSON: json: unknown field "replica"; correct the field`},
		"baseline":      {"this version has no such step", head + "spec:\n" + pods + "  strategy: {canary: {" + routes + "steps: [{baseline: {weight: 5}}]}}\n", nil, `unknown field "baseline"`},
		"no template":   {"there is no pod to play", head + "spec: {}\n", nil, "Rollout shop: spec: set exactly one of template and workloadRef"},
		"empty step":    {"it would say nothing", head + "spec:\n" + pods + "  strategy: {canary: {" + routes + "steps: [{}]}}\n", nil, "spec.strategy.canary.steps[0]: is empty; give it one of"},
		"no analysis":   {"nobody would judge", head + "spec:\n" + pods + "  strategy: {canary: {" + routes + "steps: [{analyze: {}}]}}\n", nil, "spec.strategy.canary.analysis: required"},
		"selector":      {"what the planner finds is said, too", head + "spec:\n" + strings.Replace(pods, "labels: {app: shop}", "labels: {app: till}", 1), nil, "spec.template.metadata.labels: must match spec.selector"},
		"bad-at":        {"there is no such step", head + "spec:\n" + pods + "  strategy: {canary: {" + routes + "steps: [{setWeight: 5}]}}\n", []string{"--bad-at", "2"}, "--bad-at 2: Rollout shop has 1 steps; use 1 to 1"},
		"traffic":       {"there is no such traffic", head + "spec:\n" + pods, []string{"--traffic", "-1"}, "--traffic -1: must be 0 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			args := test.args
			if test.file != "" {
				path := filepath.Join(t.TempDir(), "rollout.yaml")
				if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "-f", path)
			}
			out, problem, code := simulated(t, args...)
			if code != ExitFailed || out != "" || !strings.Contains(problem, test.want) {
				t.Errorf("%s: exit code %d, %q, want 1 and %q", test.reason, code, problem, test.want)
			}
		})
	}
}
