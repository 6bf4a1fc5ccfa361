// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command crdtrim removes from generated CRDs the descriptions below embedded
// pod templates. They repeat Kubernetes' own documentation and are nine tenths
// of the file; with them the CRD would not fit into the annotation of a
// client-side kubectl apply.
//
// It also bounds what may be a number or a text, such as a port, by 32 bits. That
// is what Go reads it into, and one object that can't be read stops every
// controller that lists its kind.
package main

import (
	"fmt"
	"math"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := trimFile(path); err != nil {
			fmt.Fprintf(os.Stderr, "crdtrim: %s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func trimFile(path string) error {
	raw, err := os.ReadFile(path) //nolint:gosec // the paths are the caller's own
	if err != nil {
		return err
	}
	var crd map[string]any
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		return err
	}
	trim(crd, false)
	out, err := yaml.Marshal(crd)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte("---\n"), out...), 0o644) //nolint:gosec // a file of the repository
}

// trim walks a schema; below a property named template it drops descriptions.
func trim(node any, below bool) {
	switch node := node.(type) {
	case map[string]any:
		if _, isText := node["description"].(string); isText && below {
			delete(node, "description")
		}
		if either, _ := node["x-kubernetes-int-or-string"].(bool); either && node["pattern"] == nil {
			node["minimum"], node["maximum"] = math.MinInt32, math.MaxInt32
		}
		for key, child := range node {
			trim(child, below || key == "template")
		}
	case []any:
		for _, child := range node {
			trim(child, below)
		}
	}
}
