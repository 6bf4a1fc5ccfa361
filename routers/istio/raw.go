// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

// object, list, text and number read a field of a raw object. A field of
// another type reads as absent; the CRD's schema keeps such objects out.

func object(o map[string]any, field string) map[string]any {
	v, _ := o[field].(map[string]any)
	return v
}

func list(o map[string]any, field string) []map[string]any {
	raw, _ := o[field].([]any)
	all := make([]map[string]any, 0, len(raw))
	for _, one := range raw {
		item, _ := one.(map[string]any)
		all = append(all, item)
	}
	return all
}

func text(o map[string]any, field string) string {
	v, _ := o[field].(string)
	return v
}

func number(o map[string]any, field string) int64 {
	switch v := o[field].(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// setList puts a list back.
func setList(o map[string]any, field string, items []map[string]any) {
	if len(items) == 0 {
		delete(o, field)
		return
	}
	raw := make([]any, len(items))
	for i, item := range items {
		raw[i] = item
	}
	o[field] = raw
}

// put sets a value below nested maps, which it makes.
func put(o map[string]any, value any, path ...string) {
	for _, field := range path[:len(path)-1] {
		next := object(o, field)
		if next == nil {
			next = map[string]any{}
			o[field] = next
		}
		o = next
	}
	o[path[len(path)-1]] = value
}

// drop removes a value below nested maps, and those maps that are empty then.
func drop(o map[string]any, path ...string) {
	if o == nil {
		return
	}
	if len(path) > 1 {
		inner := object(o, path[0])
		drop(inner, path[1:]...)
		if len(inner) > 0 || o[path[0]] == nil {
			return
		}
	}
	delete(o, path[0])
}
