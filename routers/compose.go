// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routers

import (
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Patch carries out the operations of a JSON patch on an object in memory, as
// the API server would. The error names the route.
func Patch(r Route, o *unstructured.Unstructured, operations any) error {
	patch, err := json.Marshal(operations)
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
