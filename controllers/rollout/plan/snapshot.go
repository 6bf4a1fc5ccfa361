// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Snapshot is everything a decision depends on, read at one time.
type Snapshot struct {
	// Now is the time of reading.
	Now time.Time
	// Watched is since when whoever decides has watched the Rollout; zero for ever.
	Watched time.Time
	// Rollout as it was read, with the status of the pass before.
	Rollout *v1alpha1.Rollout
	// Template is the pod template wanted, inline or the workload's; nil when it can't be had.
	Template *corev1.PodTemplateSpec
	// Target identifies Template, see [HashTemplate]; empty when there is none.
	Target string
	// AsWritten identifies the template before spec.trackConfig put copies in the
	// place of what it refers to; empty without trackConfig.
	AsWritten string
	// Config are the copies that Template refers to; none without spec.trackConfig.
	Config []ConfigCopy
	// Missing are the copies of configuration that are not there any more, of [ConfigInUse].
	Missing []MissingCopy
	// Selector matches the pods of all revisions; nil when Template is.
	Selector *metav1.LabelSelector
	// Workload is the referenced workload; nil without workloadRef.
	Workload *Workload
	// Revisions are the ReplicaSets that the Rollout owns, in any order.
	Revisions []Revision
	// StableService is the Service behind the stable slot.
	StableService Service
	// CanaryService is the Service behind the canary slot.
	CanaryService Service
	// BaselineService is the Service behind the baseline slot; without a name
	// while no step says baseline.
	BaselineService Service
	// CallerService is the Service that callers use where its pods are the
	// split; without a name when there is none.
	CallerService Service
	// Jobs are those of the job steps of this release, by name.
	Jobs map[string]Job
	// Gate is the last answer of a gate step; nil before there is one.
	Gate *GateAnswer
	// Pods of the stable revision, in any order; read only where [PodsWanted].
	Pods []Pod
	// Traffic is what the routes say that there are. Unknown while one of them, or all, can't be read.
	Traffic traffic.Observed
	// NoRoutes: none of the routes that carry the traffic exists any more.
	NoRoutes bool
	// Managed are the routes that the controller owns, in the order of the spec.
	Managed []Managed
	// Templates are those that the analyses build on, directly and through others.
	Templates []Template
	// Runs are the AnalysisRuns of this Rollout, in any order.
	Runs []v1alpha1.AnalysisRun
	// Problems are mistakes found while reading, in a stable order.
	Problems []Problem
}

// Problem is a mistake in what a person wrote: the field and the remedy.
type Problem struct {
	// Field is a path into the Rollout.
	Field string
	// Message says what is wrong and what to do.
	Message string
	// Bound: it is about an object that the bindings in force name, not the spec.
	Bound bool
	// Steers: it is about a Service or a route, which move traffic.
	Steers bool
	// Unwatched: no event tells that it is mended.
	Unwatched bool
	// Unread: nobody knows whether it is one, because something could not be read, see [certain].
	Unread bool
}

// Workload is the Deployment whose template a Rollout uses.
type Workload struct {
	// Name of the Deployment.
	Name string
	// UID of the Deployment.
	UID types.UID
	// Replicas it wants.
	Replicas int32
	// Current is the number of pods it has.
	Current int32
	// Available is the number of its pods that are available.
	Available int32
	// Paused: its own rollout is.
	Paused bool
	// Trouble says what keeps its pods, in words for people; nothing is decided by it.
	Trouble string
	// MinReadySeconds of it.
	MinReadySeconds int32
	// Before is the number of replicas it had when the Rollout took over; nil before that.
	Before *int32
	// ScaledTo is the number of replicas that the Rollout gave it last; nil before that.
	ScaledTo *int32
}

// Job is the Job of a job step.
type Job struct {
	// Succeeded and Failed say how it ended; neither while it runs.
	Succeeded, Failed bool
	// Message says why it failed.
	Message string
}

// GateAnswer is what a gate's URL answered last.
type GateAnswer struct {
	// Release and Step that asked.
	Release int64
	Step    int32
	// Allowed to go on.
	Allowed bool
	// Message says what was answered, or why nothing was.
	Message string
	// At is when.
	At time.Time
	// Attempts so far.
	Attempts int
}

// Pod is one pod of the stable revision.
type Pod struct {
	// Name of the pod.
	Name string
	// Created is when.
	Created time.Time
	// Terminating: it is on its way out already.
	Terminating bool
}

// Revision is one ReplicaSet of the Rollout.
type Revision struct {
	// Hash identifies the pod template.
	Hash string
	// Name of the ReplicaSet.
	Name string
	// Number counts the Rollout's revisions, from 1.
	Number int64
	// Mark is the metadata that its pods carry for their role, see [MarkRevision].
	Mark string
	// Config are the copies of configuration that its pods use.
	Config []ConfigRef
	// Images of the containers.
	Images []string
	// Replicas wanted.
	Replicas int32
	// Current is the number of pods there are.
	Current int32
	// Ready is the number of ready pods.
	Ready int32
	// Available is the number of pods ready for MinReadySeconds.
	Available int32
	// MinReadySeconds is how long a pod has to be ready to count as available.
	MinReadySeconds int32
	// Trouble says what keeps its pods, in words for people; nothing is decided by it.
	Trouble string
}

// Service is one slot's Service and what its EndpointSlices say.
type Service struct {
	// Name of the Service; empty when the strategy has none in this place.
	Name string
	// Version of the object as it was read; empty when it does not exist.
	Version string
	// Missing: it does not exist and is the controller's to create.
	Missing bool
	// Absent: it does not exist and is somebody else's to create.
	Absent bool
	// Unfit: it can't stand for the workload's pods, as a problem says.
	Unfit bool
	// Selects is the revision that the Service is narrowed to; empty when it is not narrowed.
	Selects string
	// Rival is another Rollout that steers it, and has the better claim to; empty when there is none.
	Rival string
	// Ready counts ready endpoints by revision; the empty key counts those that are not ours.
	Ready map[string]int32
	// Listed names the pods behind the ready endpoints, in any order.
	Listed []string
}

// only reports whether the Service is narrowed to a revision and lists at
// least n ready endpoints of it and none of any other.
func (s Service) only(revision string, n int32) bool {
	if s.Selects != revision || s.Ready[revision] < n {
		return false
	}
	for other, ready := range s.Ready {
		if other != revision && ready > 0 {
			return false
		}
	}
	return true
}

// wide: the Service selects the pods of every revision, so that it lists any that gets
// ready before it is narrowed.
func (s Service) wide() bool { return s.Name != "" && s.Selects == "" && !s.gone() }

// gone: the Service has a name and does not exist, whoever is to create it.
func (s Service) gone() bool { return s.Missing || s.Absent }

// reaches reports whether the Service stands for a revision, or lists ready endpoints of it.
func (s Service) reaches(revision string) bool { return s.Selects == revision || s.Ready[revision] > 0 }

// alone is the one revision of which the Service lists ready endpoints; empty
// when it lists none of ours, or of several.
func (s Service) alone() string {
	alone := ""
	for revision, ready := range s.Ready {
		switch {
		case ready == 0:
		case alone != "" || revision == "":
			return ""
		default:
			alone = revision
		}
	}
	return alone
}

// ready counts all ready endpoints.
func (s Service) ready() int32 {
	var sum int32
	for _, n := range s.Ready {
		sum += n
	}
	return sum
}
