// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// hashAlphabet has no vowels and no characters easily taken for one another,
// as Kubernetes' own generated names.
const hashAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// hashLength gives 27^10 values, about 47 bits.
const hashLength = 10

// HashTemplate identifies a pod template. Null values, and the empty structs
// that Go encodes for fields nobody set, do not count: a newer Kubernetes
// library must not make every workload of a cluster a new revision.
func HashTemplate(t corev1.PodTemplateSpec) (string, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode pod template: %w", err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return "", fmt.Errorf("decode pod template: %w", err)
	}
	canonical, err := json.Marshal(prune(tree)) // map keys are sorted
	if err != nil {
		return "", fmt.Errorf("encode pod template: %w", err)
	}
	return digest(canonical), nil
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	hash := make([]byte, hashLength)
	for i := range hash {
		hash[i] = hashAlphabet[int(sum[i])%len(hashAlphabet)]
	}
	return string(hash)
}

// emptyByEncoding are struct fields that Go encodes as {} when unset. Elsewhere
// {} has a meaning of its own, as in a label selector.
var emptyByEncoding = map[string]bool{"metadata": true, "resources": true}

// prune drops null values, and what [emptyByEncoding] names, from the leaves upwards.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			e = prune(e)
			object, isObject := e.(map[string]any)
			if e == nil || (isObject && len(object) == 0 && emptyByEncoding[k]) {
				delete(v, k)
				continue
			}
			v[k] = e
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

// byNumber gives the revisions oldest first, so that plans do not depend on the order of reading.
func byNumber(rs []Revision) []Revision {
	older := func(a, b Revision) int { return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Hash, b.Hash)) }
	if slices.IsSortedFunc(rs, older) {
		return rs
	}
	return slices.SortedFunc(slices.Values(rs), older)
}

func nextNumber(f facts) int64 {
	var most int64
	for _, r := range f.Revisions {
		most = max(most, r.Number)
	}
	return most + 1
}
