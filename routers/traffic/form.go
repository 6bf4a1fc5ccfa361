// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Form is what somebody wrote into one list of destinations: the weights of
// both slots, nil where there is none. One share has many forms.
type Form struct {
	// Stable is the weight of the stable slot.
	Stable *int32
	// Canary is the weight of the canary slot.
	Canary *int32
}

// Says reports whether a form amounts to the shares of s. absent is what a
// weight counts that is not there, others the sum of what else is in the list.
func (f Form) Says(s Split, others, absent int64) bool {
	splits := Weights{Stable: counted(f.Stable, absent), Canary: counted(f.Canary, absent), Others: others}.Splits()
	return s.Baseline == 0 && len(splits) == 1 && splits[0].Canary == s.Canary
}

// Equal reports whether two forms are written in the same way.
func (f Form) Equal(o Form) bool { return same(f.Stable, o.Stable) && same(f.Canary, o.Canary) }

func same(a, b *int32) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func counted(weight *int32, absent int64) int64 {
	if weight == nil {
		return absent
	}
	return int64(*weight)
}

// Written is the form in which weights are written out.
func Written(stable, canary int64) Form {
	s, c := int32(stable), int32(canary)
	return Form{Stable: &s, Canary: &c}
}

// ListName names a list of destinations of a route object by what it leads to,
// so that it is found again after its place, its conditions or its weights have
// changed. Lists that lead to the same are told apart by their order.
func ListName(kind, name string, leadsTo any, before map[string]Form) string {
	raw, err := json.Marshal(leadsTo)
	if err != nil { // maps, lists and texts can always be encoded
		raw = nil
	}
	sum := sha256.Sum256(raw)
	for n := 0; ; n++ {
		list := fmt.Sprintf("%s/%s#%s.%d", kind, name, hex.EncodeToString(sum[:4]), n)
		if _, taken := before[list]; !taken {
			return list
		}
	}
}
