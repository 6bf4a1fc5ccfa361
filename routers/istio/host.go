// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"fmt"
	"strings"

	"github.com/sluice-dev/sluice/routers"
)

// names of the subsets that stand for the slots.
const (
	stableSubset = "stable"
	canarySubset = "canary"
)

// service is a Service by its full name.
type service struct{ namespace, name string }

// serviceOf tells which Service a host names, seen from a namespace. known is
// whether Istio finds it by that name: a host with a dot is taken as it stands,
// so that name.namespace, which DNS would complete, leads nowhere. A host
// outside the cluster, or of another set of clusters, is no Service.
func serviceOf(host, namespace string) (s service, known bool) {
	parts := strings.SplitN(strings.ToLower(host), ".", 4)
	switch {
	case len(parts) == 1:
		return service{namespace, parts[0]}, true
	case len(parts) == 2, len(parts) == 3 && parts[2] == "svc":
		return service{parts[1], parts[0]}, false
	case len(parts) == 4 && parts[2] == "svc" && parts[3] != "clusterset.local":
		return service{parts[1], parts[0]}, true
	}
	return service{}, false
}

// String is the name that Istio finds a Service by.
func (s service) String() string { return s.name + "." + s.namespace + ".svc.cluster.local" }

// place is what a destination must name to be a slot's: a Service, and in it a
// subset or whichever.
type place struct {
	service
	subset string
}

func (p place) String() string {
	if p.subset == "" {
		return "Service " + p.name
	}
	return fmt.Sprintf("subset %s of host %s", p.subset, p.name)
}

// places are the destinations of both slots.
type places struct {
	namespace      string
	stable, canary place
}

// names reports whether a destination is a slot's.
func (at places) names(to map[string]any) bool {
	destination := object(to, "destination")
	return at.stable.names(destination, at.namespace) || at.canary.names(destination, at.namespace)
}

// placesOf tells the slots' places: the two Services, or with a
// DestinationRule its two subsets.
func placesOf(r routers.Route, rule *DestinationRule) places {
	if r.Ref.DestinationRule == "" {
		return places{
			namespace: r.Namespace,
			stable:    place{service: service{r.Namespace, r.StableService}},
			canary:    place{service: service{r.Namespace, r.CanaryService}},
		}
	}
	var host service
	if rule != nil {
		host, _ = serviceOf(text(rule.Spec, "host"), r.Namespace)
	}
	return places{namespace: r.Namespace, stable: place{host, stableSubset}, canary: place{host, canarySubset}}
}

// names reports whether a destination is in a place.
func (p place) names(destination map[string]any, namespace string) bool {
	s, _ := serviceOf(text(destination, "host"), namespace)
	return s == p.service && (p.subset == "" || text(destination, "subset") == p.subset)
}
