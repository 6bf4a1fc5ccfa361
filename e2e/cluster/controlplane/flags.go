// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"maps"
	"slices"
)

// Flags is a command line in the making; a later layer may override a flag of
// an earlier one.
type Flags map[string]string

// With returns these flags overlaid with others.
func (f Flags) With(others Flags) Flags {
	all := maps.Clone(f)
	maps.Copy(all, others)
	return all
}

// Args renders the flags in a stable order.
func (f Flags) Args() []string {
	args := make([]string, 0, len(f))
	for _, name := range slices.Sorted(maps.Keys(f)) {
		args = append(args, "--"+name+"="+f[name])
	}
	return args
}
