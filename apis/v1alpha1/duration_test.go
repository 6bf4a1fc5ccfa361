// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestEveryDurationIsCheckedByTheServer: a duration that Go can't parse would
// stop every controller that lists the kind, in all namespaces. So each must be
// refused at admission, 1d and a negative one included.
func TestEveryDurationIsCheckedByTheServer(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	const pattern = "// +kubebuilder:validation:Pattern=`^(0|([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`"
	found := 0
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			if strings.Contains(line, "metav1.Duration `json:") {
				found++
				if strings.TrimSpace(lines[i-1]) != pattern {
					t.Errorf("%s:%d: the duration has no pattern", name, i+1)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no durations were found")
	}
}

// TestDurationsOfTheRelease asks the API server.
func TestDurationsOfTheRelease(t *testing.T) {
	tests := map[string]struct {
		reason, duration string
		refused          bool
	}{
		"Minutes":  {"what people write", "10m", false},
		"Composed": {"what Go prints", "1h30m0.5s", false},
		"Zero":     {"Go reads it without a unit", "0", false},
		"Word":     {"no duration at all", "soon", true},
		"Day":      {"Go knows no days", "1d", true},
		"Negative": {"nobody waits backwards", "-5s", true},
		"Number":   {"seconds or minutes?", "5", true},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := readmeRollout(t)
			steps := []any{map[string]any{"pause": map[string]any{"for": tc.duration}}}
			if err := unstructured.SetNestedField(o, steps, "spec", "strategy", "canary", "steps"); err != nil {
				t.Fatal(err)
			}
			err := create(t, c, ns, o)
			switch {
			case tc.refused && err == nil:
				t.Errorf("%s: pause for %q is accepted", tc.reason, tc.duration)
			case tc.refused && !strings.Contains(err.Error(), "steps[0].pause.for"):
				t.Errorf("%s: the error does not name the field: %v", tc.reason, err)
			case !tc.refused && err != nil:
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}
