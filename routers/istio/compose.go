// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Compose implements [routers.Composer], by the same patch that Apply would
// send. A route made so splits over the two Services: what tells the pods of
// subsets apart is a DestinationRule, which is an object of its own.
func (g *router) Compose(r routers.Route, o *unstructured.Unstructured, want traffic.Split) error {
	s := state{virtualService: &VirtualService{Spec: object(o.Object, "spec")}}
	s.virtualService.SetAnnotations(o.GetAnnotations())
	_, ops, err := render(s, r, want)
	if err != nil || len(ops) == 0 {
		return err
	}
	return routers.Patch(r, o, ops[1:]) // without the test of a version, which there is not yet
}
