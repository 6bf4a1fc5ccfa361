// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package world is a simulated cluster around the planner: ReplicaSets whose
// pods come up late or never, Services whose EndpointSlices lag, routes that
// are accepted late, a data plane that lags behind both, caches, controllers
// that are killed between any two writes, and people. It serves the planner's
// tests and `kubectl sluice simulate`.
//
// Time is simulated: a [World] holds a queue of events, each due at a time, and
// lets them happen one by one. A schedule is either a seed, from which every
// delay and every mischief is drawn, or a fixed list of events. Equal setups
// and seeds give equal worlds, to the last line of the transcript.
//
// After every event the laws of the API are checked; laws.go says by whom, and which.
// What concerns requests is judged by what the simulated data plane does with them,
// never by what the planner says about them.
//
// The package decides nothing about releases; it knows no cluster, no client
// and no real clock.
package world
