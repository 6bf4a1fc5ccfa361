// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import "slices"

// Without gives the actions of a plan that are still to be carried out when one
// before them has failed: all that do not need it. Most need nothing, since each
// action is safe on the facts alone. So a webhook that is down, or a mistake in the
// metadata of pods, can't keep traffic on a bad revision.
func Without(rest []Action, failed Action) []Action {
	return slices.DeleteFunc(slices.Clone(rest), func(a Action) bool { return needs(a, failed) })
}

// needs reports whether an action has to wait until one before it has succeeded.
//
//   - Nothing is changed before the finalizer is on, and the Rollout goes only when
//     everything is handed back.
//   - Pods and routes are taken away or given back only after every write that leads
//     callers elsewhere, or makes room for them there. Metadata, runs, Jobs and
//     gates lead nobody anywhere.
//   - When routes and Services are given back together, the routes come first.
//   - A run starts with the canary's first traffic, so it needs that.
func needs(a, failed Action) bool {
	if _, held := failed.(HoldFinalizer); held {
		return true
	}
	switch a := a.(type) {
	case DropFinalizer:
		return true
	case StartRun:
		_, shift := failed.(ShiftTraffic)
		return shift
	case SelectRevision:
		_, release := failed.(ReleaseTraffic)
		return release && a.Revision == ""
	case ScaleRevision:
		return a.Replicas < a.From && serving(failed)
	case ScaleWorkload, DeleteRevision, EvictPod, ReleaseTraffic, DropRoute:
		return serving(failed)
	}
	return false
}

// serving reports whether an action may decide who serves callers.
func serving(a Action) bool {
	switch a.(type) {
	case CopyConfig, SetMinReady, MarkRevision, CreateService, StartJob, DeleteJob, AskGate, StartRun, AskRun, RedirectRun, StopRun, DeleteRun:
		return false
	}
	return true
}
