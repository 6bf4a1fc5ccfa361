// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// refused is what the API server says against an object, a sentence for each mistake.
func refused(t *testing.T, c client.Client, o *unstructured.Unstructured) []string {
	t.Helper()
	err := c.Create(t.Context(), o, client.DryRunAll, client.FieldValidation("Strict"))
	var status *apierrors.StatusError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &status):
		t.Fatal(err)
	case apierrors.IsInvalid(err):
		var all []string
		for _, cause := range status.ErrStatus.Details.Causes {
			switch {
			case strings.HasPrefix(cause.Field, "."):
				// The scale subresource repeats what is said of its field.
			case strings.HasSuffix(cause.Message, unchecked):
				all = append(all, unchecked)
			default:
				all = append(all, cause.Field+": "+cause.Message)
			}
		}
		return all
	}
	_, said, found := strings.Cut(err.Error(), "strict decoding error: ")
	if !found {
		return []string{err.Error()}
	}
	return strings.Split(said, ", ")
}

const head = "apiVersion: sluice.dev/v1alpha1\nkind: Rollout\nmetadata: {name: shop}\nspec:\n"

const pods = "  selector: {matchLabels: {app: shop}}\n" +
	"  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: shop}]}}\n"

const canary = "  strategy: {canary: {stableService: a, canaryService: b, routes: [{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, name: a}], "

// TestReviewSpeaksAsTheServer has the API server and the review judge the same objects.
func TestReviewSpeaksAsTheServer(t *testing.T) {
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, test := range map[string]struct {
		reason, object string
		// want is one of the sentences; none where the object is in order.
		want string
	}{
		"good":          {"what is in order is admitted", head + pods + canary + "steps: [{setWeight: 5}]}}\n", ""},
		"defaults":      {"a default counts as if it were written", head + pods + canary + "steps: [{gate: {url: 'https://a.example'}}], ramp: null}}\n", ""},
		"both":          {"a union", head + pods + "  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: a}\n", "set exactly one of template and workloadRef"},
		"neither":       {"a union of nothing", head + "  replicas: 2\n", "set exactly one of template and workloadRef"},
		"no spec":       {"a required field", "apiVersion: sluice.dev/v1alpha1\nkind: Rollout\nmetadata: {name: shop}\n", "spec: Required value"},
		"weight":        {"a range", head + pods + canary + "steps: [{setWeight: 150}]}}\n", "should be less than or equal to 100"},
		"empty step":    {"a rule in a list", head + pods + canary + "steps: [{setWeight: 5}, {}]}}\n", "a step holds exactly one of"},
		"typo":          {"an unknown field", head + pods + "  replica: 3\n", `unknown field "spec.replica"`},
		"typos":         {"several of them", head + pods + "  replica: 3\n" + canary + "step: [{setWeight: 5}]}}\n", `unknown field "spec.strategy.canary.step"`},
		"typo in pods":  {"deep in the pod template", head + strings.Replace(pods, "image:", "imag:", 1), `unknown field "spec.template.spec.containers[0].imag"`},
		"typo of meta":  {"in the object's own metadata", strings.Replace(head, "{name: shop}", "{name: shop, lables: {a: b}}", 1) + pods, `unknown field "metadata.lables"`},
		"type":          {"text for a number, which also keeps the rules from being asked", head + pods + "  replicas: three\n", "must be of type integer"},
		"null":          {"null for a text", head + pods + "  onDeadline: null\n", ""},
		"enum":          {"one of a few words", head + pods + "  onDeadline: Pray\n", "Unsupported value"},
		"duration":      {"a pattern", head + pods + canary + "steps: [{pause: {for: soon}}]}}\n", "should match"},
		"number":        {"int or string", head + pods + "  strategy: {canary: {maxSurge: 25}}\n", ""},
		"percent":       {"int or string by a rule", head + pods + "  strategy: {canary: {maxSurge: lots}}\n", "maxSurge: must be a number of pods"},
		"name":          {"a name that DNS can't have", strings.Replace(head, "shop", "Shop_1", 1) + pods, "metadata.name: Invalid value"},
		"label":         {"a label's value", strings.Replace(head, "{name: shop}", "{name: shop, labels: {a: 'b c'}}", 1) + pods, "metadata.labels: Invalid value"},
		"no containers": {"the schema of pods", head + strings.Replace(pods, "{containers: [{name: shop, image: shop}]}", "{}", 1), "spec.template.spec.containers: Required value"},
		"analysis":      {"one field asks for another", head + pods + canary + "steps: [{analyze: {}}]}}\n", "spec.strategy.canary.analysis: required when a step says analyze"},
		"two at once":   {"every mistake is told", head + "  minReadySeconds: -1\n" + pods + canary + "ramp: {weights: [5], every: 1m}, steps: [{setWeight: 5}]}}\n", "set at most one of steps and ramp"},
		"template": {"another kind", "apiVersion: sluice.dev/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: a}\nspec: {metrics: [{name: a}]}\n",
			"spec.metrics[0]"},
		"cluster template": {"one without a namespace", "apiVersion: sluice.dev/v1alpha1\nkind: ClusterAnalysisTemplate\nmetadata: {name: a}\nspec: {metrics: [" +
			"{name: a, proportion: {total: 'rate(a[1m])', bad: b}}]}\n", "counts are needed"},
		"run": {"a run", "apiVersion: sluice.dev/v1alpha1\nkind: AnalysisRun\nmetadata: {name: a}\nspec: {metrics: [{name: a, threshold: {query: a}}]}\n", "spec.metrics[0].threshold"},
	} {
		t.Run(name, func(t *testing.T) {
			o := parse(t, test.object)
			asked := o.DeepCopy()
			if o.GetKind() != "ClusterAnalysisTemplate" {
				asked.SetNamespace(ns)
			}
			want := refused(t, c, asked)
			got, err := Review(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-server +review):\n%s", test.reason, diff)
			}
			if all := strings.Join(got, "\n"); !strings.Contains(all, test.want) || (test.want == "") != (all == "") {
				t.Errorf("%s: %q, want %q", test.reason, all, test.want)
			}
		})
	}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestEveryDefinitionIsKnown: a kind that is added is reviewed too.
func TestEveryDefinitionIsKnown(t *testing.T) {
	files, err := filepath.Glob("../../config/crd/sluice.dev_*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := unstructured.NestedString(parse(t, string(raw)).Object, "spec", "names", "kind")
		if want := "sluice.dev_" + plurals[kind] + ".yaml"; filepath.Base(path) != want {
			t.Errorf("%s defines %s, whose file is %s", path, kind, want)
		}
	}
}

// A kind of somebody else's can't be judged, and that is no verdict.
func TestReviewOfOtherKinds(t *testing.T) {
	for _, text := range []string{
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\n",
		"apiVersion: sluice.dev/v1\nkind: Rollout\nmetadata: {name: a}\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\n",
	} {
		said, err := Review(t.Context(), parse(t, text))
		if err == nil || !strings.Contains(err.Error(), "use apiVersion sluice.dev/v1alpha1") {
			t.Errorf("%q: %q, %v", text, said, err)
		}
	}
}
