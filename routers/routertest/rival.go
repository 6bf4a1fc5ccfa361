// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rivalMark is the annotation that a rival writes.
const rivalMark = "routertest.sluice.dev/rival"

// rival reads from the API server, and each time changes the object just after
// it was read, so that what the reader holds is outdated. It stops after times.
type rival struct {
	client.Client
	object *unstructured.Unstructured
	times  int
	reads  int
}

// Get implements client.Reader.
func (r *rival) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	if err := r.Client.Get(ctx, key, into, opts...); err != nil {
		return err
	}
	r.reads++
	if r.reads > r.times {
		return nil
	}
	edit := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, rivalMark, strconv.Itoa(r.reads))
	return r.Patch(ctx, r.object.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(edit)))
}
