// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plan is the heart of Sluice: the decision what to do next with one
// Rollout. [Decide] is a total, pure and deterministic function from a
// [Snapshot] of the world to a [Plan]: the status to report, the actions to
// take and the time to look again. Nothing here has a client, a context, a
// clock or a logger, and nothing is remembered between calls except what the
// status says.
//
// # How a decision is made
//
// Data flows one way. Each line is a question, and the files that answer it:
//
//	assess    what is so?                           assess.go
//	            which objects move the traffic?     bindings.go strategy.go
//	            which endpoints can be counted on?  listed.go
//	            do requests follow the routes?      observed.go
//	            what has to be mended first?        mistakes.go
//	catchUp   where was the release?                cursor.go
//	            by which steps did it come there?   edited.go
//	command   what do people ask for?               command.go
//	advance   where is it now?                      advance.go
//	            may the step end?                   step.go reached.go
//	            how far is a Deployment taken over? adoption.go
//	            what does the analysis say?         judgement.go
//	desire    what should be so?                    desire.go
//	            what do the steps ask for?          asks.go
//	            weights over two Services           byroute.go sticky.go
//	            one Service's selector              byselector.go
//	            a ratio of pods                     ratio.go
//	            a baseline beside the canary        baseline.go
//	            which pods and history may go?      retire.go keep.go
//	            what is measured, and where?        analysis.go places.go
//	explain   what is it waiting for?               explain.go return.go
//	status    what is reported?                     status.go weights.go conditions.go
//	diff      what is to be done?                   diff.go action.go
//	            restart pods                        restart.go
//	            from when is a pod available?       minready.go
//	            put metadata on pods                mark.go
//	            make copies of configuration again  copies.go
//	            write routes that are ours          managed.go
//	            who has changed it?                 drift.go
//	            have a run ask elsewhere            sources.go
//	wake      when to look again?                   decide.go time.go
//
// A deleted Rollout takes another way: handback.go, with original.go for the
// weights that the user once wrote. Beside Decide the shell asks:
//
//	what must be read live before this plan counts?   hangs.go      HangsOn
//	which actions need one that has failed?           needs.go      Without
//	when must this status be written?                 worth.go      Worth, and same.go Same
//	what must not be forgotten when a pass fails?     listed.go     Remember
//	what is said of writes that fail?                 refused.go    Refused, Granted
//	which pods have to be read?                       listed.go     PodsWanted, and late.go LatePods, LatePod, LateWorkload
//	what is a pod's trouble, in a word?               podstate.go   PodState
//	which revision is this template?                  revision.go   HashTemplate, and config.go
//	are the analyses in order?                        templates.go  CheckAnalysis, and vet.go
//
// snapshot.go holds what all of this is decided from, and machine.go shows the
// state machine to those who draw it (docs/state-machine.md).
//
// # What always holds
//
// Three orders, whatever the strategy:
//   - Capacity before traffic: a slot gets a share only when the endpoints behind it can carry it.
//   - Traffic before removal: pods leave only after their traffic is known to have left.
//   - Facts before progress: the cursor moves on what was observed, never on what was intended.
//
// And what makes them hold:
//   - Decide never fails. A mistake in the spec is a [Problem], which becomes a condition.
//   - What is not known counts as the worst: until the data plane has settled each
//     slot may be getting everything, and routes that can't be read are left alone.
//   - Each action is idempotent and safe on the facts alone. None relies on one
//     before it having had its effect.
//   - The way back to stable waits for nothing that holds the way forward: no pause,
//     no problem, no analysis.
//   - An abort is latched until another release begins, and within a release the
//     cursor never goes back.
//   - What a release is doing (its mode) is derived at every look and stored nowhere.
//   - Stored times are rounded up, so that no wait is shorter than it says.
//   - Whatever waits says in words for what, and something will wake it: a watched
//     event or [Plan].Wake.
//   - A settled Rollout gives no actions and the same status again, in whatever order
//     the snapshot lists things.
//
// The package internal/world holds these as laws, after every event of random schedules.
//
// # Words
//
// Revisions and their roles:
//   - revision: one pod template, known by its hash, with a ReplicaSet of its own.
//   - target: the revision that is wanted: the template's, or the one that an undo
//     has put in its place.
//   - release: one try to bring a revision to all traffic. A retry is another release
//     of the same revision; status.release counts them.
//   - in flight: the revision that a release is about, until it is promoted, taken back
//     or superseded. An aborted one stays in flight until another template is wanted.
//   - stable, canary: the revision that was promoted last, and the one in flight.
//     Blue-green calls them active and preview; here they are stable and canary always.
//   - baseline: pods of the stable revision that are as new as the canary's, to compare
//     it with. A third role, but no third revision.
//   - retired: a revision without a role that still has pods.
//   - mark: the labels and annotations that a role puts on a revision's pods.
//
// Where traffic goes:
//   - slot: what a route gives a weight to: stable, canary or baseline. Behind each is a
//     Service. Routes know slots only, never revisions.
//   - to stand for: a Service stands for the revision to which its selector is narrowed.
//     To point it is to narrow it to another revision, to widen it is to give it back the
//     selector that its owner wrote. During a promotion both slots stand for the canary.
//   - share, weight, split: a slot's part of the requests in percent; the canary's share,
//     as steps ask for it; and all that the routes carry: shares that sum to 100, and
//     beside them matches, a mirror or a cookie.
//   - means: how traffic is moved: byRoute (weights), bySelector (blue-green without
//     routes, all or nothing) or byReplicas (the ratio of pods).
//   - bindings: the Services and routes that carry the traffic now. While the spec names
//     others the Rollout is rebinding: it takes back what is in flight, gives the
//     former objects back and then follows the new ones.
//   - drift: somebody else has changed a route, a Service or a size that we steer.
//
// What can be counted on:
//   - requested, accepted, settled, confirmed: the split that the routes carry; that
//     every route reports it as accepted; that it has been so for convergence.settle; and
//     that this is the very split asked about. Only what is confirmed moves a release on.
//   - silent: a data plane that never reports anything, as Istio's. What is written counts
//     as accepted then.
//   - sight: what the requests that an analysis counted say of a silent data plane's
//     split: unsure, agreeing, or contradicting (the release is astray).
//   - listed, noticed: an endpoint that the EndpointSlices list; one listed for so long
//     that every proxy is taken to know it. Endpoints ending are listed still, but their
//     pods were told to end, see listed.
//   - need: the number of pods that a share needs.
//   - kept in full, short: stable keeps spec.replicas whatever its share, so that an abort
//     has to wait for no pod; with scaleStable Dynamic it is shrunk to its share, and is
//     short until it has grown back and been noticed.
//
// How a release goes on:
//   - step, cursor: an entry of the plan that the user wrote or the strategy implies; what
//     the status remembers of where the release is.
//   - to owe: what the cluster owes a step are the pods, endpoints and traffic that it asks
//     for and that are not there yet. The cursor is reached when nothing is owed.
//   - free: neither paused nor held by a problem, nor by an edit of the steps.
//   - edited: the steps up to the cursor's are others than those that it came by (edited.go).
//   - hold, gate: why a release is where it is: a phase, a reason and a sentence; and the
//     question that may give one. Gates are asked in order and the first hold speaks. (A
//     gate step is something else: it asks a URL for permission.)
//   - run, question, answer: the AnalysisRun of a release; what an analyze step asks of
//     it; and what it says to that.
//   - latched: decided once and kept for this release, as an abort is.
//   - to give back: to leave objects of the user's as they were before they were steered.
//
// When somebody has lost pods or written to our objects:
//   - deserted: stable has no ready pod, so each step asks for all traffic (asks.go).
//   - stranded: the stable Service has no endpoint and the canary's has, so the canary
//     gets everything for the moment (byroute.go).
//   - unserved: the canary has no pod left while a step waits for somebody (asks.go).
//   - orphaned: the share of a baseline without endpoints; stable gets it (baseline.go).
//   - blind: no endpoint of a slot is noticed, so it must get nothing new (listed.go).
//   - torn: routes disagree and no split is safe for all, so they stay as they are (byroute.go).
//   - unfed: an analysis waits for traffic that the canary has lost (judgement.go).
package plan
