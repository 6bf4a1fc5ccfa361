// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/routers"
)

// mirrored is the percentage that our filter in a rule copies to the canary; 0
// when there is none. Ours is the last filter, while the object's note says
// that there is one: a user's own mirror looks the same and stays.
func (p pair) mirrored(v view) int32 {
	filters := p.filters()
	if v.noted.Mirror == 0 || len(filters) == 0 {
		return 0
	}
	filter, _ := filters[len(filters)-1].(map[string]any)
	name, _, _ := unstructured.NestedString(filter, "requestMirror", "backendRef", "name")
	percent, found, _ := unstructured.NestedInt64(filter, "requestMirror", "percent")
	if filter["type"] != "RequestMirror" || name != string(p.backends[p.canary].Name) || !found {
		return 0
	}
	return int32(percent)
}

func (p pair) filters() []any {
	filters, _ := p.raw["filters"].([]any)
	return filters
}

// theirFilters are the rule's filters without ours.
func (p pair) theirFilters(v view) []any {
	filters := p.filters()
	if p.mirrored(v) > 0 {
		return filters[:len(filters)-1]
	}
	return filters
}

// mirror lists what makes the rule copy a percentage of its requests to the canary; 0 ends it.
func (p pair) mirror(v view, percent int32) []operation {
	has, last := p.mirrored(v), len(p.filters())-1
	path := fmt.Sprintf("/spec/rules/%d/filters", p.index)
	switch {
	case has == percent:
		return nil
	case percent == 0 && last == 0:
		return []operation{{Op: "remove", Path: path}}
	case percent == 0:
		return []operation{{Op: "remove", Path: fmt.Sprintf("%s/%d", path, last)}}
	case has > 0:
		return []operation{{Op: "add", Path: fmt.Sprintf("%s/%d/requestMirror/percent", path, last), Value: percent}}
	case last < 0:
		return []operation{{Op: "add", Path: path, Value: []any{p.mirrorFilter(percent)}}}
	}
	return []operation{{Op: "add", Path: path + "/-", Value: p.mirrorFilter(percent)}}
}

func (p pair) mirrorFilter(percent int32) map[string]any {
	canary := p.backends[p.canary]
	to := map[string]any{"group": "", "kind": "Service", "name": string(canary.Name)}
	if canary.Port != nil {
		to["port"] = int64(ptr.Deref(canary.Port, 0))
	}
	return map[string]any{"type": "RequestMirror", "requestMirror": map[string]any{"backendRef": to, "percent": int64(percent)}}
}

// crowded is the problem of a rule that has no room for a filter.
func crowded(p pair, v view, r routers.Route) error {
	const most = 16
	if len(p.theirFilters(v)) < most {
		return nil
	}
	return &routers.Problem{
		Field:   r.Field,
		Message: fmt.Sprintf("step mirror needs a filter in %s of %s, which has %d already; remove one", p, r, most),
	}
}
