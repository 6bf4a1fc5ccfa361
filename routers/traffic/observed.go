// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Observed is what route objects say, over all routes of a Rollout.
type Observed struct {
	// Requested lists the distinct splits that the route objects carry now. One
	// element when all routes agree; several during a partial write or after
	// somebody's edit. Empty when there is nothing to read.
	Requested []Split
	// Confirmed lists the distinct splits that the data plane may still be
	// serving, as far as it reports: Requested when every route is accepted in
	// its newest generation, otherwise empty (unknown).
	Confirmed []Split
	// Silent says that no more will be heard: every route of which a data plane
	// reports is confirmed, and of the others none ever reports. Confirmed is
	// empty then; only time tells.
	Silent bool
	// Unbound says that the route objects themselves tell which pods a slot
	// stands for, and tell something else than the slot's Service. Applying any
	// split mends it; until then nothing is confirmed.
	Unbound bool
	// Marked says that the route objects hold something of ours that no split
	// shows and that Release takes away.
	Marked bool
	// Backends are the places in route objects that name the slots' Services, for
	// data planes that count by place. Empty for kinds that have no such places.
	Backends []Backend
	// Lists are the places from which the route objects send to the slots, by the
	// names of [ListName], with the weights as they are written there.
	Lists map[string]Form
	// Edition tells the route objects from what they were before a write, and from
	// others of the same names; see [EditionOf]. Empty is unknown.
	Edition string
	// Message says why Confirmed is unknown, or what differs.
	Message string
}

// EditionOf is the edition of an object: it changes when the object is written to
// otherwise than in its status and metadata, and when it is made anew. A split that was
// changed and changed back is the same as before; what a data plane has taken up may not be.
func EditionOf(o metav1.Object) string { return fmt.Sprintf("%s/%d", o.GetUID(), o.GetGeneration()) }

// Backend is a place in a route object that names a slot's Service.
type Backend struct {
	// Slot whose Service it is.
	Slot Slot
	// Kind and Name of the route object.
	Kind, Name string
	// Rule and Index count from 0 in the order of the object.
	Rule, Index int32
}

// RequestedAll reports whether every route carries exactly s.
func (o Observed) RequestedAll(s Split) bool { return len(o.Requested) == 1 && o.Requested[0].Equal(s) }

// ConfirmedAll reports whether the data plane is known to serve exactly s.
func (o Observed) ConfirmedAll(s Split) bool {
	return o.RequestedAll(s) && len(o.Confirmed) == 1 && o.Confirmed[0].Equal(s)
}

// Most returns the largest share that a slot may be getting now, in percent:
// the maximum over requested and confirmed. A slot that is reached beside the
// shares gets at least 1. An unknown split counts as 100.
func (o Observed) Most(slot Slot) int32 {
	if len(o.Requested) == 0 || len(o.Confirmed) == 0 {
		return 100
	}
	var most int32
	for _, s := range append(append([]Split{}, o.Requested...), o.Confirmed...) {
		most = max(most, s.Of(slot))
		if s.Reaches(slot) {
			most = max(most, 1)
		}
	}
	return most
}

// Merge combines the observations of several routes. It does not depend on
// their order. When any of them can't be read, nothing is known of all of them.
func Merge(os ...Observed) Observed {
	var merged Observed
	unread := slices.ContainsFunc(os, func(o Observed) bool { return len(o.Requested) == 0 })
	unknown := slices.ContainsFunc(os, func(o Observed) bool { return len(o.Confirmed) == 0 && !o.Silent })
	silent := slices.ContainsFunc(os, func(o Observed) bool { return o.Silent })
	for _, o := range os {
		merged.Requested = union(merged.Requested, o.Requested)
		merged.Confirmed = union(merged.Confirmed, o.Confirmed)
		merged.Unbound = merged.Unbound || o.Unbound
		merged.Marked = merged.Marked || o.Marked
		merged.Backends = append(merged.Backends, o.Backends...)
		merged.Message = first(merged.Message, o.Message)
		merged.Lists = joined(merged.Lists, o.Lists)
	}
	if unread {
		merged.Requested, merged.Lists = nil, nil
	}
	if unread || unknown || silent {
		merged.Confirmed = nil
	}
	merged.Silent = silent && !unread && !unknown
	merged.Edition = editions(os)
	slices.SortFunc(merged.Backends, Backend.compare)
	return merged
}

func editions(os []Observed) string {
	var all []string
	for _, o := range os {
		if o.Edition != "" {
			all = append(all, o.Edition)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (b Backend) compare(c Backend) int {
	return cmp.Or(cmp.Compare(b.Kind, c.Kind), cmp.Compare(b.Name, c.Name), cmp.Compare(b.Rule, c.Rule), cmp.Compare(b.Index, c.Index))
}

// first gives the message that sorts first, so that the order of routes does not matter.
func first(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

func joined(a, b map[string]Form) map[string]Form {
	if len(b) == 0 {
		return a
	}
	all := maps.Clone(b)
	maps.Copy(all, a)
	return all
}

func union(a, b []Split) []Split {
	for _, s := range b {
		if !slices.ContainsFunc(a, s.Equal) {
			a = append(a, s)
		}
	}
	slices.SortFunc(a, func(x, y Split) int {
		return cmp.Or(cmp.Compare(x.Canary, y.Canary), cmp.Compare(x.Baseline, y.Baseline), cmp.Compare(x.String(), y.String()))
	})
	return a
}
