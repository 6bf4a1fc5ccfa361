// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// operation is one line of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// guarded puts a test of the version that the operations were computed from in
// front of them.
func guarded(version string, ops []operation) []operation {
	if len(ops) == 0 {
		return nil
	}
	return append([]operation{{"test", "/metadata/resourceVersion", version}}, ops...)
}

// differ lists the operations that lead from one value to another, as deep in
// as possible, so that what is the same on both sides is not written.
func differ(path string, from, to any) []operation {
	switch to := to.(type) {
	case map[string]any:
		if from, ok := from.(map[string]any); ok {
			return differMaps(path, from, to)
		}
	case []any:
		if from, ok := from.([]any); ok {
			return differLists(path, from, to)
		}
	}
	if reflect.DeepEqual(from, to) {
		return nil
	}
	return []operation{{"replace", path, to}}
}

func differMaps(path string, from, to map[string]any) []operation {
	var ops []operation
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, kept := to[key]; !kept {
			ops = append(ops, operation{Op: "remove", Path: path + "/" + escaped(key)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(to)) {
		at := path + "/" + escaped(key)
		if old, had := from[key]; had {
			ops = append(ops, differ(at, old, to[key])...)
			continue
		}
		ops = append(ops, operation{"add", at, to[key]})
	}
	return ops
}

// differLists compares by position after taking out the entries that only one
// side has; see [common].
func differLists(path string, from, to []any) []operation {
	gone, come := common(from, to)
	var ops []operation
	var left []any
	for i := len(from) - 1; i >= 0; i-- {
		if gone[i] {
			ops = append(ops, operation{Op: "remove", Path: fmt.Sprintf("%s/%d", path, i)})
			continue
		}
		left = append(left, from[i])
	}
	slices.Reverse(left)
	for i, next := range to {
		at := fmt.Sprintf("%s/%d", path, i)
		if come[i] {
			ops = append(ops, operation{"add", at, next})
			continue
		}
		ops = append(ops, differ(at, left[0], next)...)
		left = left[1:]
	}
	return ops
}

// common says which entries of each list are in that one only, such that as many
// are left on either side. Entries are told apart by whether they are ours; where
// our own are the same on both sides, all are compared by position.
func common(from, to []any) (gone, come []bool) {
	gone, come = make([]bool, len(from)), make([]bool, len(to))
	if reflect.DeepEqual(only(from, inserted), only(to, inserted)) && len(from) == len(to) {
		return gone, come
	}
	for i := range from {
		gone[i] = inserted(from[i])
	}
	for i := range to {
		come[i] = inserted(to[i])
	}
	// Besides http routes, lists grow and shrink at their end.
	for kept(gone) > kept(come) {
		gone[lastKept(gone)] = true
	}
	for kept(come) > kept(gone) {
		come[lastKept(come)] = true
	}
	return gone, come
}

func lastKept(marks []bool) int {
	for i := len(marks) - 1; i >= 0; i-- {
		if !marks[i] {
			return i
		}
	}
	return 0
}

func kept(marks []bool) (n int) {
	for _, marked := range marks {
		if !marked {
			n++
		}
	}
	return n
}

func only(all []any, keep func(any) bool) map[int]any {
	picked := map[int]any{}
	for i, one := range all {
		if keep(one) {
			picked[i] = one
		}
	}
	return picked
}

func escaped(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
