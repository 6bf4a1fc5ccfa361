// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package stats turns counts of good and bad requests into evidence that may be
// looked at as often as one likes. It is pure: it knows no metrics server, no
// clock and no verdicts, and every number that comes out follows from the
// numbers that went in.
//
// # In short
//
// A rollout is cut into blocks. In each one, the canary had so many requests of
// which so many were bad, and so had the stable revision. [NewFail] makes an
// [EProcess] that multiplies its value up in blocks in which the canary is worse
// than tolerated, and down in all others; [NewPass] makes one that grows while
// the canary is provably good enough for its next share of traffic. The value
// is what a bet on that would have won by now: at 100 one would have been lucky
// once in 100 times at most, were it not so. Abort at 1/alpha of the first, pass
// at 1/beta of the second, and otherwise say that it is not known yet.
//
// # What the guarantee is
//
// A canary that is within the tolerance in every block is aborted with
// probability alpha at most: 1 % by default, for the whole rollout, all metrics
// of a [Combine] and all looks at them together. A canary at or beyond what it
// must prove to be under passes a step with probability beta at most.
//
// It makes no difference how often one looks, when one stops, how the traffic is
// split and how that changes, how good or bad stable is and whether that changes
// (an outage that hits both revisions is no evidence), how rare errors are, or
// how metrics depend on one another. There is no normal approximation in it, and
// no smallest sample: with little traffic there is little evidence, and the
// answer is "not known" instead of a wrong one.
//
// # What it is not
//
//   - It is no promise that a bad canary is aborted. A canary just beyond the
//     tolerance takes long, and one within it is never aborted by design: with
//     the defaults, 0.15 % bad against stable's 0.1 % stays. Lower the tolerance
//     if regressions within the objective shall count.
//   - It needs errors that are independent, given the rates. Retries and single
//     bad pods bring clusters of errors. The noise factor phi pays for clusters
//     up to its size, but where it is learnt by [NoiseFactor] it is an estimate:
//     with clusters the rate at the tolerated limit can be several times alpha.
//     A canary that clusters otherwise than stable did is not known in advance.
//   - It needs requests that are not chosen. If cookies send other users to the
//     canary, its cache is cold or its only pod sits on a bad node, the revisions
//     differ for reasons that are not the code's, and that is found as well.
//   - It needs counts. Extrapolated values, such as those of rate() and
//     increase(), multiply false aborts.
//   - Low traffic certifies nothing: 99.9 % takes 200 good requests at a next
//     weight of 10 %, and 2,000 at 100 %; see [Required]. Outages are found with
//     about five failures all the same.
//   - Beyond half of the traffic more bad requests are needed, and at 100 % there
//     is nothing to compare with: the limit without a Ratio then finds shared
//     incidents, too.
//   - Regressions later than the horizon are found more slowly.
//   - [SignTest] speaks about blocks, not about revisions; gauges that change
//     slowly break its assumption. Let it hold, not abort.
//
// docs/benchmarks-analysis.md has the figures for most of these.
//
// # What callers must see to
//
// These would break the guarantee without an error, because nothing in the
// numbers gives them away:
//
//   - Each block is given once, in order. The same block twice is evidence twice.
//     [EProcess.Blocks] counts them; keep the time of the last one beside the [State].
//   - Whether a block is left out may depend on its totals and on the servers, but
//     not on how many requests were bad.
//   - Limits, bets, phi, horizon, metrics and weights are chosen before the first
//     block. [EProcess.Load] refuses the state of other settings; metrics and
//     weights are the caller's. Another limit is another process, which takes
//     part in the mean with a weight of its own, from the beginning.
//   - One failing process per metric and rollout. Starting it anew gives it alpha anew.
//
// What does give itself away is an error and changes nothing: see [ErrCounts],
// [ErrScalar], [ErrState] and [ErrCombine].
package stats
