// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e holds the stories that Sluice is accepted by: what a user does,
// on a real cluster, with real traffic, seen from outside. One story, one file;
// they are built with the tag e2e only and need a cluster (see README.md).
//
// Every story keeps three promises beside its own: the client saw no failed
// request but those that a bad version failed on purpose, the share of each
// version at each settled weight lies within the binomial interval, and
// kubectl get, kubectl describe and kubectl sluice get tell the same truth.
package e2e
