// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// counting counts requests that write. The version of an object doesn't tell:
// the API server keeps it when a write changes nothing, but it was asked.
type counting struct {
	client.Client
	writes int
	// refuse, if set, may refuse a write.
	refuse func() error
	// written, if set, is called after each write.
	written func()
}

// Create implements client.Writer.
func (c *counting) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	c.writes++
	return c.Client.Create(ctx, o, opts...)
}

// Update implements client.Writer.
func (c *counting) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	c.writes++
	return c.Client.Update(ctx, o, opts...)
}

// Patch implements client.Writer.
func (c *counting) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	c.writes++
	if c.refuse != nil {
		if err := c.refuse(); err != nil {
			return err
		}
	}
	err := c.Client.Patch(ctx, o, p, opts...)
	if c.written != nil {
		c.written()
	}
	return err
}

// Apply implements client.Writer.
func (c *counting) Apply(ctx context.Context, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	c.writes++
	return c.Client.Apply(ctx, o, opts...)
}

// Delete implements client.Writer.
func (c *counting) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	c.writes++
	return c.Client.Delete(ctx, o, opts...)
}

// DeleteAllOf implements client.Writer.
func (c *counting) DeleteAllOf(ctx context.Context, o client.Object, opts ...client.DeleteAllOfOption) error {
	c.writes++
	return c.Client.DeleteAllOf(ctx, o, opts...)
}

// Status implements client.StatusClient. A router has no business there but to write.
func (c *counting) Status() client.SubResourceWriter {
	c.writes++
	return c.Client.Status()
}

// SubResource implements client.SubResourceClientConstructor.
func (c *counting) SubResource(name string) client.SubResourceClient {
	c.writes++
	return c.Client.SubResource(name)
}
