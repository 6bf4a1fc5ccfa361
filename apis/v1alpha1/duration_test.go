// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestEveryDurationIsCheckedByTheServer: a duration that Go can't parse would
// stop every controller that lists the kind, in all namespaces. So each must be
// refused at admission, 1d and a negative one included: our own type has the
// pattern, and no field has another one.
func TestEveryDurationIsCheckedByTheServer(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	const pattern = "// +kubebuilder:validation:Pattern=`^(0|" +
		`[0-9]{1,6}(\.[0-9]+)?h([0-9]{1,7}(\.[0-9]+)?m)?([0-9]{1,9}(\.[0-9]+)?(s|ms|us|µs|ns)){0,4}|` +
		`[0-9]{1,7}(\.[0-9]+)?m([0-9]{1,9}(\.[0-9]+)?(s|ms|us|µs|ns)){0,4}|` +
		`([0-9]{1,9}(\.[0-9]+)?(s|ms|us|µs|ns)){1,4}` + ")$`"
	fields, checked := 0, false
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "metav1.Duration `json:") || strings.Contains(line, "time.Duration `json:") {
				t.Errorf("%s:%d: the duration has no pattern; make it a Duration", name, i+1)
			}
			if strings.Contains(line, "Duration `json:") {
				fields++
			}
		}
		_, markers, _ := strings.Cut(string(text), pattern+"\n")
		markers, _, found := strings.Cut(markers, "\ntype Duration metav1.Duration\n")
		checked = checked || found && !slices.ContainsFunc(strings.Split(markers, "\n"), func(l string) bool { return !strings.HasPrefix(l, "// +kubebuilder:") })
	}
	if fields == 0 || !checked {
		t.Errorf("%d durations were found; their type has the pattern: %t", fields, checked)
	}
}

// The longest that the pattern allows is what Go can parse.
func TestLongestDuration(t *testing.T) {
	if _, err := time.ParseDuration("999999.9h9999999.9m" + strings.Repeat("999999999.9s", 4)); err != nil {
		t.Error(err)
	}
}

// TestUnreadableIsRefused: what else Go can't read stops as many.
func TestUnreadableIsRefused(t *testing.T) {
	tests := map[string]struct {
		reason string
		value  any
		path   []string
	}{
		"time in small letters": {"the schema's format takes them", "2026-01-01t00:00:00z", []string{"restartAt"}},
		"time zone":             {"no day has 99 hours", "2026-01-01T00:00:00+99:99", []string{"restartAt"}},
		"surge":                 {"32 bits", int64(99999999999), []string{"strategy", "canary", "maxSurge"}},
		"port": {"wherever a number may be a text", []any{map[string]any{
			"name": "a", "image": "a", "livenessProbe": map[string]any{"httpGet": map[string]any{"port": int64(99999999999)}},
		}}, []string{"template", "spec", "containers"}},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := readmeRollout(t)
			if err := unstructured.SetNestedField(o, tc.value, append([]string{"spec"}, tc.path...)...); err != nil {
				t.Fatal(err)
			}
			if err := create(t, c, ns, o); err == nil || !strings.Contains(err.Error(), tc.path[len(tc.path)-1]) {
				t.Errorf("%s: got %v, want a refusal that names %s", tc.reason, err, tc.path[len(tc.path)-1])
			}
		})
	}
}

// TestDurationsOfTheRelease asks the API server.
func TestDurationsOfTheRelease(t *testing.T) {
	tests := map[string]struct {
		reason, duration string
		refused          bool
		endless          bool // of the right form, and too long
	}{
		"Minutes":  {"what people write", "10m", false, false},
		"Composed": {"what Go prints", "1h30m0.5s", false, false},
		"Zero":     {"Go reads it without a unit", "0", false, false},
		"Word":     {"no duration at all", "soon", true, false},
		"Day":      {"Go knows no days", "1d", true, false},
		"Negative": {"nobody waits backwards", "-5s", true, false},
		"Number":   {"seconds or minutes?", "5", true, false},
		"Spaces":   {"Go has none", "1h 30m", true, false},
		"Long":     {"a century is long enough", "999999h9999999m999999999s", false, false},
		"Endless":  {"Go's durations end after 292 years", "9999999h", true, true},
		"Repeated": {"nor may they add up to more", "999999h999999h999999h", true, true},
		"Empty":    {"no time at all", "", true, false},
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
			case tc.refused && !tc.endless && !strings.Contains(err.Error(), "must be a duration in Go's form, such as 90s, 5m or 1h30m; write a day as 24h"):
				t.Errorf("%s: the error does not say what to write: %v", tc.reason, err)
			case !tc.refused && err != nil:
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}
