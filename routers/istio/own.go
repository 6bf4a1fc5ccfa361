// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// unwritten is the weight of a destination that has none.
const unwritten = 0

// listed names the routes, and finds the user's own weights of them. What a
// route is called and its destinations make the name; weights are no part of it.
func listed(ps []pair, r routers.Route) []pair {
	known := map[string]traffic.Form{}
	for i, p := range ps {
		leadsTo := []any{p.protocol, text(p.raw, "name")}
		for _, d := range p.destinations() {
			leadsTo = append(leadsTo, object(d, "destination"))
		}
		ps[i].list = traffic.ListName(r.Ref.Kind, r.Ref.Name, leadsTo, known)
		known[ps[i].list] = p.form
		if own, has := r.Own[ps[i].list]; has {
			ps[i].own = &own
		}
	}
	return ps
}

// written is the weight of a destination as it is written.
func written(destination map[string]any) *int32 {
	if destination["weight"] == nil {
		return nil
	}
	weight := int32(number(destination, "weight"))
	return &weight
}

func forms(ps []pair) map[string]traffic.Form {
	all := map[string]traffic.Form{}
	for _, p := range ps {
		all[p.list] = p.form
	}
	return all
}

// gives is the form in which the route carries a split: the user's own where that
// says the same, or whatever it says once the route is released.
func (p pair) gives(want traffic.Split) traffic.Form {
	if p.own != nil && (p.released || p.own.Says(want, p.weights.Others, unwritten)) {
		return *p.own
	}
	give := p.weights.Give(want)
	return traffic.Written(give.Stable, give.Canary)
}

// weigh sets the weights of pairs whose routes are part of a spec.
func weigh(ps []pair, want traffic.Split) {
	for _, p := range ps {
		give := p.gives(want)
		for at, weight := range map[int]*int32{p.stable: give.Stable, p.canary: give.Canary} {
			if weight == nil {
				delete(p.destinations()[at], "weight")
				continue
			}
			p.destinations()[at]["weight"] = int64(*weight)
		}
	}
}
