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
	return simulatedFrom(t, "", args...)
}

// simulatedFrom has a text come in by a pipe, too.
func simulatedFrom(t *testing.T, in string, args ...string) (out, problem string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(t.Context(), Env{In: strings.NewReader(in), Out: &stdout, Err: &stderr, Now: now, NewID: func() string { return "id-1" }}, append([]string{"simulate"}, args...))
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

// TestSimulateReads: whatever carries the objects, the same release is played.
func TestSimulateReads(t *testing.T) {
	const canary = "testdata/simulate/canary.yaml"
	want, problem, code := simulated(t, "-f", canary)
	if code != ExitOK {
		t.Fatal(problem)
	}
	raw, err := os.ReadFile(canary)
	if err != nil {
		t.Fatal(err)
	}
	rollout, rest, _ := strings.Cut(string(raw), "---\n")
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	indented := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") }
	other := strings.ReplaceAll(rollout, "name: checkout}\nspec", "name: till}\nspec")
	for name, test := range map[string]struct {
		reason, in string
		args       []string
	}{
		"stdin":       {"a pipe", string(raw), []string{"-f", "-"}},
		"two files":   {"an application in several files", "", []string{"-f", write("a.yaml", rollout), "-f", write("b.yaml", rest)}},
		"file and in": {"a file and a pipe", rest, []string{"-f", write("a.yaml", rollout), "-f", "-"}},
		"list":        {"what kubectl get -o yaml prints", "apiVersion: v1\nkind: List\nitems:\n- " + indented(rollout) + "\n- " + indented(strings.Split(rest, "---\n")[0]) + "\n", []string{"-f", "-"}},
		"status":      {"what a cluster knows of it does not matter", strings.Replace(rollout, "metadata: {name: checkout}", "status: {phase: Healthy, message: x}\nmetadata: {name: checkout, namespace: a, uid: b, resourceVersion: '7'}", 1) + "---\n" + rest, []string{"-f", "-"}},
		"comments":    {"empty documents", "# hello\n---\n---\n" + string(raw) + "---\n", []string{"-f", "-"}},
		"by name":     {"one of two", other + "---\n" + string(raw), []string{"checkout", "-f", "-"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problem, code := simulatedFrom(t, test.in, test.args...)
			if diff := cmp.Diff(want, got); diff != "" || code != ExitOK {
				t.Errorf("%s: exit code %d, %s (-want +got):\n%s", test.reason, code, problem, diff)
			}
		})
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
		"no Rollout":    {"nor here", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", nil, "there is no Rollout of sluice.dev/v1alpha1 in the files of -f"},
		"several":       {"which one would be a guess", head + "spec:\n" + pods + "---\n" + strings.Replace(head, "shop", "till", 1) + "spec:\n" + pods, nil, "several Rollouts in the files of -f: shop, till; name the one to play: kubectl sluice simulate shop -f FILE"},
		"other name":    {"it says what there is", head + "spec:\n" + pods, []string{"till"}, "there is no Rollout till in the files of -f, but shop"},
		"unknown field": {"a typo must not be lost", head + "spec:\n" + pods + "  replica: 3\n", nil, "the API server would refuse this; correct what it says:\n  Rollout shop: unknown field \"spec.replica\""},
		"unheard of":    {"this version has no such step", head + "spec:\n" + pods + "  strategy: {canary: {" + routes + "steps: [{shadow: {weight: 5}}]}}\n", nil, `unknown field "spec.strategy.canary.steps[0].shadow"`},
		"no template":   {"there is no pod to play", head + "spec: {}\n", nil, "Rollout shop: spec: Invalid value: spec: set exactly one of template and workloadRef; remove the other"},
		"empty step":    {"it would say nothing", head + "spec:\n" + pods + "  strategy: {canary: {" + routes + "steps: [{}]}}\n", nil, "spec.strategy.canary.steps[0]: Invalid value: a step holds exactly one of"},
		"no analysis":   {"nobody would judge", head + "spec:\n" + pods + "  strategy: {canary: {" + routes + "steps: [{analyze: {}}]}}\n", nil, "spec.strategy.canary.analysis: required"},
		"selector":      {"what the planner finds is said, too", head + "spec:\n" + strings.Replace(pods, "labels: {app: shop}", "labels: {app: till}", 1), nil, "spec.template.metadata.labels: must match spec.selector"},
		"two mistakes":  {"each is told", head + "spec:\n" + pods + "  replicas: -1\n  strategy: {canary: {" + routes + "steps: [{setWeight: 150}]}}\n", nil, "Rollout shop: spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0\n  Rollout shop: spec.strategy.canary.steps[0].setWeight: Invalid value: 150"},
		"its template":  {"what belongs to it is reviewed too", head + "spec:\n" + pods + "---\napiVersion: sluice.dev/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: a}\nspec: {}\n", nil, "AnalysisTemplate a: spec: Invalid value: spec: needs objectives, or at least one entry"},
		"Argo's":        {"they have the same name", strings.Replace(head, "sluice.dev", "argoproj.io", 1) + "spec: {}\n", nil, "rollout.yaml holds a Rollout of argoproj.io/v1alpha1, and this plays those of sluice.dev/v1alpha1; docs/guide/from-argo-rollouts.md"},
		"old version":   {"ours, but not of this version", strings.Replace(head, "v1alpha1", "v1", 1) + "spec: {}\n", nil, "use apiVersion sluice.dev/v1alpha1"},
		"no YAML":       {"it says where", "a: [\n", nil, "it is no YAML of an object: "},
		"twice":         {"a key that is there twice is lost in part", head + "spec: {}\nspec:\n" + pods, nil, `key "spec" already set in map`},
		"no kind":       {"it could be anything", "a: b\n", nil, "it holds a document without kind"},
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
