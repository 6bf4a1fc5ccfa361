// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestThisModule holds the rules against the checkout around it.
func TestThisModule(t *testing.T) {
	files, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	for _, sentence := range check(files) {
		t.Error(sentence)
	}
}

// TestControllerStaysSmall: the API server's own code, with CEL and all, is
// linked by the plugin alone.
func TestControllerStaysSmall(t *testing.T) {
	files, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	const heavy = "internal/admission"
	if all := linked(files, "cmd/sluice"); slices.Contains(all, heavy) || !slices.Contains(all, "controllers/rollout/plan") {
		t.Errorf("cmd/sluice is built from %v; it must not be from %s, which only the plugin needs", all, heavy)
	}
	if all := linked(files, "cmd/kubectl-sluice"); !slices.Contains(all, heavy) {
		t.Errorf("cmd/kubectl-sluice is built from %v, not from %s", all, heavy)
	}
}

// TestPlanted shows that a fault put into a module is found.
func TestPlanted(t *testing.T) {
	cases := map[string]struct {
		reason string
		file   string
		source string
		want   []string
	}{
		"AllowedArrow": {
			reason: "The planner may use the traffic values.",
			file:   "controllers/rollout/plan/decide.go",
			source: `package plan; import _ "github.com/sluice-dev/sluice/routers/traffic"`,
		},
		"BackEdge": {
			reason: "A router that looks at the planner turns the arrow round.",
			file:   "routers/istio/router.go",
			source: `package istio; import _ "github.com/sluice-dev/sluice/controllers/rollout/plan"`,
			want: []string{"routers/istio/router.go imports controllers/rollout/plan: routers/istio may import of ours: " +
				"apis/* routers routers/traffic internal/kube internal/names"},
		},
		"ConcreteRouterOutsideWiring": {
			reason: "Only cmd/sluice names concrete routers.",
			file:   "controllers/rollout/reconciler.go",
			source: `package rollout; import _ "github.com/sluice-dev/sluice/routers/istio"`,
			want: []string{"controllers/rollout/reconciler.go imports routers/istio: controllers/rollout may import of ours: " +
				"apis/* controllers/rollout/plan routers routers/traffic internal/kube internal/names"},
		},
		"ConcreteRouterInWiring": {
			reason: "Only cmd/sluice names concrete routers.",
			file:   "cmd/sluice/wiring.go",
			source: `package main; import _ "github.com/sluice-dev/sluice/routers/istio"`,
		},
		"BuildTagHidesNothing": {
			reason: "A file that is not built here still counts.",
			file:   "apis/v1alpha1/windows.go",
			source: "//go:build windows\n\npackage v1alpha1; import _ \"github.com/sluice-dev/sluice/internal/kube\"",
			want:   []string{"apis/v1alpha1/windows.go imports internal/kube: apis/v1alpha1 may import of ours: nothing"},
		},
		"TestKitInTest": {
			reason: "Tests may add the test kit to their row.",
			file:   "internal/kube/apply_test.go",
			source: `package kube; import _ "github.com/sluice-dev/sluice/internal/testing/build"`,
		},
		"TestKitInProduction": {
			reason: "Nothing in production imports the test kit, not even the wiring.",
			file:   "cmd/sluice/main.go",
			source: `package main; import _ "github.com/sluice-dev/sluice/routers/routertest"`,
			want:   []string{"cmd/sluice/main.go imports routers/routertest: only tests may use the test kit"},
		},
		"ConcreteRouterInAPITest": {
			reason: "A controller's test against a real API server steers a real route.",
			file:   "controllers/rollout/suite_test.go",
			source: `package rollout_test; import _ "github.com/sluice-dev/sluice/routers/istio"`,
		},
		"ConcreteRouterInPlannerTest": {
			reason: "The planner knows no router, in its tests neither.",
			file:   "controllers/rollout/plan/decide_test.go",
			source: `package plan; import _ "github.com/sluice-dev/sluice/routers/istio"`,
			want: []string{"controllers/rollout/plan/decide_test.go imports routers/istio: controllers/rollout/plan may import of ours: " +
				"apis/* routers/traffic internal/names"},
		},
		"ExternalTestOfThePackage": {
			reason: "A package's external test imports the package.",
			file:   "routers/traffic/split_test.go",
			source: `package traffic_test; import _ "github.com/sluice-dev/sluice/routers/traffic"`,
		},
		"NoRow": {
			reason: "A new package must be put into the table.",
			file:   "internal/utils/strings.go",
			source: `package utils`,
			want:   []string{"internal/utils/strings.go: package internal/utils has no row in internal/arch/arrows_test.go"},
		},
		"PureImportsContext": {
			reason: "A pure package does nothing that could be cancelled.",
			file:   "analysis/judge/judge.go",
			source: `package judge; import _ "context"`,
			want: []string{"analysis/judge/judge.go imports context: a pure package gets everything as an argument " +
				"and returns everything as a value"},
		},
		"PureImportsBelowABannedPath": {
			reason: "A ban covers what lies below it.",
			file:   "internal/view/tree.go",
			source: `package view; import _ "math/rand/v2"`,
			want: []string{"internal/view/tree.go imports math/rand/v2: a pure package gets everything as an argument " +
				"and returns everything as a value"},
		},
		"PureTestIsFree": {
			reason: "A seeded simulation needs random numbers and golden files.",
			file:   "controllers/rollout/plan/plan_sim_test.go",
			source: `package plan; import ("math/rand/v2"; "os"; "time"); var _, _, _ = rand.Int, os.Args, time.Now`,
		},
		"ClockCalled": {
			reason: "The time is read once, in observe.",
			file:   "controllers/rollout/plan/decide.go",
			source: "package plan\nimport \"time\"\nvar t = time.Now()",
			want:   []string{"controllers/rollout/plan/decide.go:3 mentions time.Now: a pure package gets the time as an argument"},
		},
		"ClockPassedOnUnderAnAlias": {
			reason: "A function value or another name for the package does not hide the clock.",
			file:   "analysis/schedule/due.go",
			source: "package schedule\nimport clock \"time\"\nvar since = clock.Since",
			want:   []string{"analysis/schedule/due.go:3 mentions clock.Since: a pure package gets the time as an argument"},
		},
		"ClockOfMetav1": {
			reason: "metav1.Now is a clock too.",
			file:   "controllers/rollout/plan/explain.go",
			source: "package plan\nimport metav1 \"k8s.io/apimachinery/pkg/apis/meta/v1\"\nvar t = metav1.Now()",
			want:   []string{"controllers/rollout/plan/explain.go:3 mentions metav1.Now: a pure package gets the time as an argument"},
		},
		"DurationIsNoClock": {
			reason: "Values of package time are welcome.",
			file:   "controllers/rollout/plan/decide.go",
			source: "package plan\nimport \"time\"\nvar d = 3 * time.Second",
		},
		"ClockOutsideThePureHeart": {
			reason: "The shell may look at the clock.",
			file:   "controllers/rollout/observe.go",
			source: "package rollout\nimport \"time\"\nvar t = time.Now()",
		},
		"ZapOutsideCmd": {
			reason: "Loggers are chosen in cmd.",
			file:   "controllers/rollout/report.go",
			source: `package rollout; import _ "go.uber.org/zap"`,
			want: []string{"controllers/rollout/report.go imports go.uber.org/zap: only cmd chooses a logger; " +
				"everything else takes a logr.Logger"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			files, err := load(fstest.MapFS{tc.file: {Data: []byte(tc.source)}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, check(files)); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLoadSkips shows which folders are not looked at.
func TestLoadSkips(t *testing.T) {
	fault := &fstest.MapFile{Data: []byte("this is not Go")}
	files, err := load(fstest.MapFS{
		"apis/v1alpha1/doc.go":           {Data: []byte("package v1alpha1")},
		"apis/v1alpha1/testdata/x.go":    fault,
		".cache/x.go":                    fault,
		"e2e/cluster/tools/kube/go.mod":  {Data: []byte("module x")},
		"e2e/cluster/tools/kube/main.go": fault,
	})
	if err != nil {
		t.Fatalf("a skipped folder was read: %v", err)
	}
	if len(files) != 1 || files[0].name != "apis/v1alpha1/doc.go" {
		t.Errorf("files: got %v, want apis/v1alpha1/doc.go alone", files)
	}
}

// TestTable keeps the table readable: no row that an earlier one hides.
func TestTable(t *testing.T) {
	for i, later := range arrows {
		for _, earlier := range arrows[:i] {
			if matches(earlier.from, strings.TrimSuffix(later.from, "*")) {
				t.Errorf("row %q is never reached: %q comes first", later.from, earlier.from)
			}
		}
	}
}
