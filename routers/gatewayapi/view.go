// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// ours begins the names of rules that this router adds. No other rule is ever
// removed, whatever it looks like.
const ours = "sluice.dev."

// view is what the kinds have in common, read from one version of an object.
type view struct {
	kind kind
	// generation, version and edition are the object's.
	generation int64
	version    string
	edition    string
	// rules are the user's, in the order of the object.
	rules []rule
	// added are those that this router put before and behind them.
	added []rule
	// annotations of the object.
	annotations map[string]string
	// noted is what the object's annotation says is carried beside the shares.
	noted beside
	// wanted are the parents that the user names, parents those that answered.
	wanted  []gatewayv1.ParentReference
	parents []gatewayv1.RouteParentStatus
}

// rule is one entry of spec.rules.
type rule struct {
	// index in the object's JSON, from 0.
	index    int
	name     string
	backends []gatewayv1.BackendRef
	// raw is the entry as it stands, fields included that this package does not know.
	raw map[string]any
}

// beside is what a route carries apart from shares. It is noted in an
// annotation, in the same write: matches can't be told from the rules that they
// were multiplied into.
type beside struct {
	Matches []v1alpha1.MatchRoute `json:"matches,omitempty"`
	Mirror  int32                 `json:"mirror,omitempty"`
	Sticky  *traffic.Sticky       `json:"sticky,omitempty"`
}

func besideOf(s traffic.Split) beside {
	return beside{Matches: s.Matches, Mirror: s.Mirror, Sticky: s.Sticky}
}

// on puts it beside a split's shares.
func (b beside) on(s traffic.Split) traffic.Split {
	s.Matches, s.Mirror, s.Sticky = b.Matches, b.Mirror, b.Sticky
	return s
}

func (b beside) none() bool { return len(b.Matches) == 0 && b.Mirror == 0 && b.Sticky == nil }

// String is the note.
func (b beside) String() string {
	note, err := json.Marshal(b)
	if err != nil { // strings and numbers can always be encoded
		return "{}"
	}
	return string(note)
}

// see reads an object, typed or not.
func see(k kind, o client.Object) (view, error) {
	raw, err := rawOf(o)
	if err != nil {
		return view{}, fmt.Errorf("read the fields of %s %s: %w", k.name, o.GetName(), err)
	}
	v := view{kind: k, generation: o.GetGeneration(), version: o.GetResourceVersion(), edition: traffic.EditionOf(o), annotations: o.GetAnnotations()}
	if note, ok := v.annotations[v1alpha1.BesideAnnotation]; ok {
		// Whatever can't be read says nothing; the next write corrects it.
		_ = json.Unmarshal([]byte(note), &v.noted)
	}
	if err := into(raw, &v.wanted, "spec", "parentRefs"); err != nil {
		return view{}, err
	}
	if err := into(raw, &v.parents, "status", "parents"); err != nil {
		return view{}, err
	}
	rules, err := listAt(raw, "spec", "rules")
	if err != nil {
		return view{}, err
	}
	for i, entry := range rules {
		one, err := seeRule(i, entry)
		if err != nil {
			return view{}, err
		}
		if strings.HasPrefix(one.name, ours) {
			v.added = append(v.added, one)
			continue
		}
		v.rules = append(v.rules, one)
	}
	return v, nil
}

func seeRule(index int, entry any) (rule, error) {
	raw, ok := entry.(map[string]any)
	if !ok {
		return rule{}, fmt.Errorf("spec.rules[%d] is no object", index)
	}
	one := rule{index: index, raw: raw}
	one.name, _ = raw["name"].(string)
	return one, into(raw, &one.backends, "backendRefs")
}

func rawOf(o client.Object) (map[string]any, error) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.Object, nil
	}
	return runtime.DefaultUnstructuredConverter.ToUnstructured(o)
}

// into decodes a list that need not be there.
func into[T any](raw map[string]any, list *[]T, path ...string) error {
	entries, err := listAt(raw, path...)
	if err != nil || len(entries) == 0 {
		return err
	}
	*list = make([]T, len(entries))
	for i, entry := range entries {
		fields, ok := entry.(map[string]any)
		if !ok {
			return fmt.Errorf("%s[%d] is no object", strings.Join(path, "."), i)
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &(*list)[i]); err != nil {
			return fmt.Errorf("read %s[%d]: %w", strings.Join(path, "."), i, err)
		}
	}
	return nil
}

// listAt finds a list; absent and null are no entries.
func listAt(raw map[string]any, path ...string) ([]any, error) {
	field, found, err := unstructured.NestedFieldNoCopy(raw, path...)
	if err != nil || !found || field == nil {
		return nil, err
	}
	entries, ok := field.([]any)
	if !ok {
		return nil, fmt.Errorf("%s is no list", strings.Join(path, "."))
	}
	return entries, nil
}
