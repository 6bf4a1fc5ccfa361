// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package load sends requests at a fixed rate and remembers what became of
// each. It is what stories and demo measure traffic with: at the client, where
// users are.
//
// The loop is open: a request starts when its time has come, whether or not
// earlier ones have been answered, so a slow service can't hide behind a
// waiting client. Rate, count, duration and requests in flight are all bounded,
// and only test clusters may be targets.
package load
