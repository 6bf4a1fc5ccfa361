// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"

	"k8s.io/client-go/util/jsonpath"
)

// parse reads a path. What is missing in an answer is no error but nothing.
//
// The library reads templates, of which a path is one. What else they may hold
// is refused: {1} would be a measurement of 1 whatever the API answers, and how
// long .. and lists of names take grows with each one beyond any bound.
func parse(text string) (*jsonpath.JSONPath, error) {
	tree, err := jsonpath.Parse("web", text)
	if err != nil {
		return nil, fmt.Errorf("web.jsonPath: %s can't be read (%w); write a path such as {.data.score}", text, err)
	}
	if why := unfit(tree.Root); why != "" {
		return nil, fmt.Errorf("web.jsonPath: %s %s", text, why)
	}
	path := jsonpath.New("web").AllowMissingKeys(true)
	if err := path.Parse(text); err != nil {
		return nil, fmt.Errorf("web.jsonPath: %s can't be read (%w); write a path such as {.data.score}", text, err)
	}
	return path, nil
}

// unfit says why a template is not one path, and what to write. Empty when it is one.
func unfit(root *jsonpath.ListNode) string {
	if len(root.Nodes) == 1 {
		if path, braced := root.Nodes[0].(*jsonpath.ListNode); braced {
			return unfitSteps(path, false)
		}
	}
	return "is more than one path in braces; write one, such as {.data.score}"
}

// unfitSteps looks at the steps of a path. Within a filter, a constant is what a field is compared with.
func unfitSteps(path *jsonpath.ListNode, filter bool) string {
	for _, step := range path.Nodes {
		if why := unfitStep(step, filter); why != "" {
			return why
		}
	}
	return ""
}

func unfitStep(step jsonpath.Node, filter bool) string {
	switch step := step.(type) {
	case *jsonpath.FieldNode, *jsonpath.ArrayNode, *jsonpath.WildcardNode:
		return ""
	case *jsonpath.FilterNode:
		if why := unfitSteps(step.Left, true); why != "" {
			return why
		}
		return unfitSteps(step.Right, true)
	case *jsonpath.RecursiveNode:
		return "searches the whole answer by ..; write the whole path, such as {.data.score}"
	case *jsonpath.UnionNode:
		return "asks for several values where one is needed; write a path to one, such as {.items[0].score}"
	case *jsonpath.IdentifierNode:
		return fmt.Sprintf("has the word %s where a field is meant; begin fields with a dot, as in {.data.score}", step.Name)
	}
	if filter {
		return ""
	}
	return "is a constant, the same whatever the answer is; write a path, such as {.data.score}"
}
