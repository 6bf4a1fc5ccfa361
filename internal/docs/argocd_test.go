// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"encoding/json"
	"testing"

	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestArgoCDHealth runs the script by the interpreter that Argo CD has.
func TestArgoCDHealth(t *testing.T) {
	var config struct{ Data map[string]string }
	if err := yaml.Unmarshal([]byte(read(t, "deploy/argocd/health.yaml").text), &config); err != nil {
		t.Fatal(err)
	}
	script := config.Data["resource.customizations.health.sluice.dev_Rollout"]
	for name, test := range map[string]struct {
		reason, phase, condition string
		observed                 int64
		want                     string
	}{
		"new":     {"nothing is known yet", "", "", 0, "Progressing"},
		"old":     {"what is known speaks of an older spec", "Healthy", "", 1, "Progressing"},
		"healthy": {"promoted", "Healthy", "Ready", 2, "Healthy"},
		"going":   {"a release is under way", "Progressing", "Reconciling", 2, "Progressing"},
		"holding": {"it may go on by itself", "Holding", "Reconciling", 2, "Progressing"},
		"invalid": {"it can't go on by itself", "Holding", "Stalled", 2, "Degraded"},
		"paused":  {"people are waited for", "Paused", "Reconciling", 2, "Suspended"},
		"aborted": {"stable carries all traffic", "Degraded", "Stalled", 2, "Degraded"},
	} {
		t.Run(name, func(t *testing.T) {
			ro := v1alpha1.Rollout{}
			ro.Generation = 2
			ro.Status.ObservedGeneration, ro.Status.Phase, ro.Status.Message = test.observed, v1alpha1.RolloutPhase(test.phase), "the words"
			if test.condition != "" {
				ro.Status.Conditions = []metav1.Condition{{Type: test.condition, Status: metav1.ConditionTrue}}
			}
			status, message := health(t, script, ro)
			if wantMessage := map[bool]string{true: "the words", false: "waiting for the controller"}[test.observed == 2]; status != test.want || message != wantMessage {
				t.Errorf("%s: %s, %q, want %s, %q", test.reason, status, message, test.want, wantMessage)
			}
		})
	}
}

// health is what the script says of an object.
func health(t *testing.T, script string, o any) (status, message string) {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var object any
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	l := lua.NewState()
	defer l.Close()
	l.SetGlobal("obj", luaOf(l, object))
	if err := l.DoString(script); err != nil {
		t.Fatal(err)
	}
	table, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %s", l.Get(-1))
	}
	return table.RawGetString("status").String(), table.RawGetString("message").String()
}

// luaOf turns JSON into what a script works on.
func luaOf(l *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	case []any:
		table := l.NewTable()
		for _, x := range v {
			table.Append(luaOf(l, x))
		}
		return table
	case map[string]any:
		table := l.NewTable()
		for name, x := range v {
			table.RawSetString(name, luaOf(l, x))
		}
		return table
	}
	return lua.LNil
}
