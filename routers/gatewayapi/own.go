// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// absent is the weight of a backend that has none.
const absent = 1

// listed names the rules, and finds the user's own weights of them. What a rule is called and its backends make the name:
// both are known in every version of the definitions, and weights are no part of them.
func listed(ps []pair, r routers.Route) []pair {
	known := map[string]traffic.Form{}
	for i, p := range ps {
		leadsTo := []any{p.name}
		for _, b := range p.backends {
			if string(b.Name) == r.BaselineService && r.BaselineService != "" {
				continue // comes and goes
			}
			b.Weight = nil
			leadsTo = append(leadsTo, b)
		}
		ps[i].list = traffic.ListName(r.Ref.Kind, r.Ref.Name, leadsTo, known)
		known[ps[i].list] = p.form()
		if own, has := r.Own[ps[i].list]; has {
			ps[i].own = &own
		}
	}
	return ps
}

// form is how the weights of both Services are written.
func (p pair) form() traffic.Form {
	return traffic.Form{Stable: p.backends[p.stable].Weight, Canary: p.backends[p.canary].Weight}
}

func forms(ps []pair) map[string]traffic.Form {
	all := map[string]traffic.Form{}
	for _, p := range ps {
		all[p.list] = p.form()
	}
	return all
}

// gives is the form in which the rule carries a split: the user's own where that
// says the same, or whatever it says once the rule is released.
func (p pair) gives(want traffic.Split) traffic.Form {
	if p.own != nil && (p.released || p.own.Says(want, p.weights.Others, absent)) {
		return *p.own
	}
	give := p.weights.Give(want)
	return traffic.Written(give.Stable, give.Canary)
}

// release lists what gives each rule the user's own weights, and stable
// everything where they are not known.
func release(v view, r routers.Route) []operation {
	ps := known(v, r)
	for i := range ps {
		ps[i].released = true
	}
	return render(v, ps, traffic.CanaryAt(0), added{})
}
