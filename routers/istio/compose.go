// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
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
	patch, err := json.Marshal(ops[1:]) // without the test of a version, which there is not yet
	if err != nil {
		return fmt.Errorf("encode the patch of %s: %w", r, err)
	}
	decoded, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return fmt.Errorf("decode the patch of %s: %w", r, err)
	}
	before, err := o.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode %s: %w", r, err)
	}
	after, err := decoded.Apply(before)
	if err != nil {
		return fmt.Errorf("patch %s: %w", r, err)
	}
	return o.UnmarshalJSON(after)
}
