// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Compose implements [routers.Composer], by the same patch that Apply would send.
func (g *router) Compose(r routers.Route, object *unstructured.Unstructured, want traffic.Split) error {
	v, err := see(named(g.kinds, r.Ref.Kind), object)
	if err != nil {
		return err
	}
	ops, err := operations(v, r, want)
	if err != nil || len(ops) == 0 {
		return err
	}
	return routers.Patch(r, object, ops[1:]) // without the test of a version, which there is not yet
}
