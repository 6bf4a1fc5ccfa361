// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import "github.com/sluice-dev/sluice/apis/v1alpha1"

func trafficOf(t *v1alpha1.TrafficStatus) *Traffic {
	if t == nil || len(t.Requested) == 0 {
		return nil
	}
	out := &Traffic{Since: t.Since.DeepCopy(), Message: t.Message, ConfirmedBy: t.ConfirmedBy, Observed: t.Observed.DeepCopy()}
	for _, w := range t.Requested {
		share := Share{Service: w.Service, Revision: w.Revision, Requested: w.Weight}
		for _, c := range t.Confirmed {
			if c.Service == w.Service && (w.Service != "" || c.Revision == w.Revision) {
				share.Confirmed = &c.Weight
			}
		}
		out.Shares = append(out.Shares, share)
	}
	return out
}

// weights returns the requested and the confirmed weight of a revision, over
// all Services: while a canary is promoted both stand for the same revision.
func (t *Traffic) weights(revision string) (requested, confirmed *int32) {
	if t == nil {
		return nil, nil
	}
	var written, accepted int32
	known := true
	for _, s := range t.Shares {
		if s.Revision != revision {
			continue
		}
		written += s.Requested
		if s.Confirmed == nil {
			known = false
			continue
		}
		accepted += *s.Confirmed
	}
	if !known || !t.confirmed() {
		return &written, nil
	}
	return &written, &accepted
}

// confirmed reports whether the data plane's split is known at all.
func (t *Traffic) confirmed() bool {
	for _, s := range t.Shares {
		if s.Confirmed == nil {
			return false
		}
	}
	return true
}
