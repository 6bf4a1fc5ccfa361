// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import "slices"

// Without gives the actions of a plan that are still to be carried out when one
// before them has failed: all but those that need it. Each action is safe on the
// facts alone, so most need nothing: a webhook that is down, or a slip in what is
// put on pods, must not keep traffic on a bad revision.
func Without(rest []Action, failed Action) []Action {
	return slices.DeleteFunc(slices.Clone(rest), func(a Action) bool { return needs(a, failed) })
}

// needs reports whether an action has to wait until one before it has succeeded.
//
//   - Nothing is changed before the finalizer sees to it that it is handed back,
//     and the Rollout goes only when all is.
//   - What is taken away or given back comes after all that could still lead there
//     or takes its place. Metadata, runs, Jobs and gates carry nobody.
//   - A Service is widened after the routes to it are given back, where both are asked for.
//   - A run measures from the canary's first traffic on, so it follows that.
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

// serving reports whether callers may be served by what an action does.
func serving(a Action) bool {
	switch a.(type) {
	case MarkRevision, CreateService, StartJob, DeleteJob, AskGate, StartRun, AskRun, RedirectRun, StopRun, DeleteRun:
		return false
	}
	return true
}
