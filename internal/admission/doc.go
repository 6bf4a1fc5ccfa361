// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission says what an API server would say about an object of ours,
// without one: it holds the object against the published definitions, schema
// and rules alike, by the API server's own code and in its own words.
//
// Only the kubectl plugin links it. What a controller holds against its own
// kinds an API server has admitted already.
package admission
