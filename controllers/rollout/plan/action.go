// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Action is one effect on the cluster. The set is closed; the shell carries
// each kind out in one place. An action is idempotent: carried out twice it
// changes nothing the second time.
type Action interface {
	isAction()
	// Why says in a sentence, with the numbers, what the action is for.
	Why() string
	// String says in a few words what the action does.
	String() string
}

type why string

func (why) isAction()     {}
func (w why) Why() string { return string(w) }

// CreateRevision creates the ReplicaSet of the wanted template.
type CreateRevision struct {
	why
	// Hash of the template.
	Hash string
	// Number of the revision.
	Number int64
	// Replicas to start with.
	Replicas int32
	// MinReadySeconds is how long a pod has to be ready to count as available.
	MinReadySeconds int32
	// Mark is the metadata of its role, see [Mark]; empty for none.
	Mark string
}

// String implements Action.
func (a CreateRevision) String() string {
	return fmt.Sprintf("create revision %s with %s", a.Hash, count(a.Replicas, "replica"))
}

// CreateBaseline creates a ReplicaSet of fresh pods of the stable revision: the
// stable one's pod template under another label.
type CreateBaseline struct {
	why
	// Hash tells its pods from the stable ones.
	Hash string
	// From is the ReplicaSet that it copies.
	From string
	// Replicas to start with.
	Replicas int32
}

// String implements Action.
func (a CreateBaseline) String() string {
	return fmt.Sprintf("create baseline %s of %s with %d replicas", a.Hash, a.From, a.Replicas)
}

// ScaleRevision sets the replicas of a ReplicaSet.
type ScaleRevision struct {
	why
	// Name of the ReplicaSet.
	Name string
	// From is the number of replicas decided upon; another number now ends the pass.
	From int32
	// Replicas wanted.
	Replicas int32
	// Drift: somebody else scaled it.
	Drift bool
}

// String implements Action.
func (a ScaleRevision) String() string {
	return fmt.Sprintf("scale %s from %d to %d", a.Name, a.From, a.Replicas)
}

// DeleteRevision deletes a ReplicaSet without pods.
type DeleteRevision struct {
	why
	// Name of the ReplicaSet.
	Name string
	// Config are the copies of configuration that nothing else uses; they go first.
	Config []ConfigRef
}

// String implements Action.
func (a DeleteRevision) String() string { return "delete " + a.Name }

// SelectRevision narrows a Service to one revision, or widens it again.
type SelectRevision struct {
	why
	// Service to narrow.
	Service string
	// Revision wanted; empty widens the Service to what its owner wrote.
	Revision string
	// Version of the Service decided upon; another one now ends the pass.
	Version string
	// Share of the traffic that the Service may be getting, in percent.
	Share int32
	// Drift: the Service stood for it until somebody else changed its selector.
	Drift bool
}

// String implements Action.
func (a SelectRevision) String() string {
	if a.Revision == "" {
		return fmt.Sprintf("widen Service %s to all revisions", a.Service)
	}
	return fmt.Sprintf("point Service %s at revision %s", a.Service, a.Revision)
}

// CreateService creates the Service of a slot, as a copy of the callers' one.
type CreateService struct {
	why
	// Name of the Service.
	Name string
	// From is the Service that it copies.
	From string
}

// String implements Action.
func (a CreateService) String() string {
	return fmt.Sprintf("create Service %s as a copy of %s", a.Name, a.From)
}

// StartJob creates the Job of a job step.
type StartJob struct {
	why
	// Name of the Job.
	Name string
	// Revision it is run for.
	Revision string
	// Template of it.
	Template v1alpha1.JobTemplate
}

// String implements Action.
func (a StartJob) String() string { return "start Job " + a.Name }

// DeleteJob deletes the Job of a release that has ended, or of a step that was left.
type DeleteJob struct {
	why
	// Name of the Job.
	Name string
}

// String implements Action.
func (a DeleteJob) String() string { return "delete Job " + a.Name }

// AskGate asks the URL of a gate step.
type AskGate struct {
	why
	// URL to ask.
	URL string
	// Revision, Release and Step it is asked for.
	Revision string
	Release  int64
	Step     int32
}

// String implements Action.
func (a AskGate) String() string { return "ask " + a.URL }

// EvictPod asks for the eviction of one pod.
type EvictPod struct {
	why
	// Name of the pod.
	Name string
}

// String implements Action.
func (a EvictPod) String() string { return "evict pod " + a.Name }

// ShiftTraffic makes every route carry a split.
type ShiftTraffic struct {
	why
	// Split wanted.
	Split traffic.Split
	// Drift: the routes carried it until somebody else changed them.
	Drift bool
	// Unseen: callers get what they got before, as when both slots stand for one revision.
	Unseen bool
}

// String implements Action.
func (a ShiftTraffic) String() string { return "shift traffic to " + a.Split.String() }

// ReleaseTraffic returns every route to the weights that the user wrote, and to
// stable where they are not given back, and gives up ownership.
type ReleaseTraffic struct {
	why
	// Own are the weights to give back, by the names of lists.
	Own map[string]traffic.Form
}

// String implements Action.
func (ReleaseTraffic) String() string { return "release the routes" }

// ScaleWorkload sets the replicas of the referenced workload.
type ScaleWorkload struct {
	why
	// Name of the Deployment.
	Name string
	// From is the number of replicas decided upon; remembered when it is the first change.
	From int32
	// Replicas wanted.
	Replicas int32
	// Restore forgets what was remembered: the workload is handed back.
	Restore bool
	// Drift: somebody else scaled it up since we last scaled it.
	Drift bool
}

// String implements Action.
func (a ScaleWorkload) String() string {
	return fmt.Sprintf("scale Deployment %s from %d to %d", a.Name, a.From, a.Replicas)
}

// StartRun creates an AnalysisRun.
type StartRun struct {
	why
	// Name of the run.
	Name string
	// Revision it accompanies.
	Revision string
	// Spec is complete.
	Spec v1alpha1.AnalysisRunSpec
}

// String implements Action.
func (a StartRun) String() string { return "start AnalysisRun " + a.Name }

// AskRun gives a running AnalysisRun the question of an analyze step, or withdraws it.
type AskRun struct {
	why
	// Name of the run.
	Name string
	// Question wanted; nil withdraws it.
	Question *v1alpha1.Question
}

// String implements Action.
func (a AskRun) String() string {
	if a.Question == nil {
		return fmt.Sprintf("withdraw the question to AnalysisRun %s", a.Name)
	}
	return fmt.Sprintf("ask AnalysisRun %s for step %d", a.Name, a.Question.Step+1)
}

// RedirectRun has a running AnalysisRun ask elsewhere, or be let in by other means.
type RedirectRun struct {
	why
	// Name of the run.
	Name string
	// Sources wanted.
	Sources Sources
}

// String implements Action.
func (a RedirectRun) String() string { return "redirect AnalysisRun " + a.Name }

// StopRun ends an AnalysisRun.
type StopRun struct {
	why
	// Name of the run.
	Name string
}

// String implements Action.
func (a StopRun) String() string { return "stop AnalysisRun " + a.Name }

// DeleteRun deletes an AnalysisRun that is over.
type DeleteRun struct {
	why
	// Name of the run.
	Name string
}

// String implements Action.
func (a DeleteRun) String() string { return "delete AnalysisRun " + a.Name }

// DropFinalizer lets a deleted Rollout go. What it names the workload owns beside
// the Rollout, and would keep; it goes with the Rollout.
type DropFinalizer struct {
	why
	// Revisions are ReplicaSets by name.
	Revisions []string
	// Services by name.
	Services []string
	// Routes that the Rollout made.
	Routes []v1alpha1.RouteRef
	// Config are copies of configuration. Nothing else refers to them, so they are deleted.
	Config []ConfigRef
}

// String implements Action.
func (DropFinalizer) String() string { return "let the Rollout go" }

// HoldFinalizer keeps a Rollout, once deleted, until what it changed is handed back.
type HoldFinalizer struct{ why }

// String implements Action.
func (HoldFinalizer) String() string { return "hold the Rollout by a finalizer" }
