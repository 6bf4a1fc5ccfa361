// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plan is the heart of Sluice: the decision what to do next with one
// Rollout. [Decide] is a total, pure and deterministic function from a
// [Snapshot] of the world to a [Plan]: the status to report, the actions to
// take and the time to look again.
//
// Inside, data flows one way: assess (what is so) → advance (where are we now)
// → desire (what should be so) → diff (what to do about it) → explain (how to
// say it). Nothing here has a client, a context, a clock or a logger, and
// nothing is remembered between calls except what the status says.
//
// Three orders hold throughout, whatever the strategy:
//   - capacity before traffic: a slot gets weight only when the endpoints behind it can carry it;
//   - traffic before removal: pods leave only after their traffic is known to have left;
//   - facts before progress: the cursor moves on what was observed, never on what was intended.
package plan
