// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RolloutPhase is the one word that says where a Rollout is.
type RolloutPhase string

const (
	// PhasePending means that nothing has started, because something is missing.
	PhasePending RolloutPhase = "Pending"
	// PhaseProgressing means that the controller is working towards the next step.
	PhaseProgressing RolloutPhase = "Progressing"
	// PhasePaused means that a pause step or spec.paused holds the release.
	PhasePaused RolloutPhase = "Paused"
	// PhaseHolding means that a gate other than a pause holds the release, such as missing measurements.
	PhaseHolding RolloutPhase = "Holding"
	// PhaseAborting means that traffic is on its way back to stable.
	PhaseAborting RolloutPhase = "Aborting"
	// PhaseDegraded means that the wanted revision was aborted, or can't be brought up.
	PhaseDegraded RolloutPhase = "Degraded"
	// PhaseHealthy means that the wanted revision carries all traffic.
	PhaseHealthy RolloutPhase = "Healthy"
	// PhaseRollingBack means that the template went back to stable's while a canary was in flight.
	PhaseRollingBack RolloutPhase = "RollingBack"
)

// RolloutStatus is what the controller last saw and decided.
type RolloutStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// observedTemplate identifies the pod template that was seen last, as it was written.
	// +optional
	ObservedTemplate string `json:"observedTemplate,omitempty"`
	// phase is the one word that says where the Rollout is.
	// +optional
	Phase RolloutPhase `json:"phase,omitempty"`
	// strategy is the name of the strategy in force, for printing.
	// +optional
	Strategy string `json:"strategy,omitempty"`
	// message says in words what is happening and what is waited for.
	// +optional
	Message string `json:"message,omitempty"`
	// summary is the beginning of message, short enough for a column.
	// +optional
	Summary string `json:"summary,omitempty"`
	// image of the first container of the wanted revision, for printing.
	// +optional
	Image string `json:"image,omitempty"`
	// stableRevision is the hash of the revision last fully promoted.
	// +optional
	StableRevision string `json:"stableRevision,omitempty"`
	// canaryRevision is the hash of the revision being introduced; empty when
	// there is none. An aborted revision stays here until another one is wanted.
	// +optional
	CanaryRevision string `json:"canaryRevision,omitempty"`
	// release counts the releases of this Rollout, from 1. It names what
	// belongs to one release, such as its AnalysisRun.
	// +optional
	Release int64 `json:"release,omitempty"`
	// startedAt is when the current or last release started.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// waitingSince is since when the first revision has waited for pods or traffic
	// without a pause, without one pod more, and without another revision's pods that are
	// kept (keptSince); progressDeadlineSeconds counts from then. That of a step, for every later revision, is in currentStep.
	// +optional
	WaitingSince *metav1.Time `json:"waitingSince,omitempty"`
	// availableSoFar is the most pods of the revision in flight that were available
	// at once since it began to wait for pods or traffic. Only more than that begin
	// the progress deadline anew: a pod that fails and comes back again and again
	// does not. Absent while nothing is waited for.
	// +optional
	AvailableSoFar *int32 `json:"availableSoFar,omitempty"`
	// currentStep is the cursor of the canary revision.
	// +optional
	CurrentStep *CurrentStep `json:"currentStep,omitempty"`
	// traffic is the split between revisions.
	// +optional
	Traffic *TrafficStatus `json:"traffic,omitempty"`
	// revisions lists every revision that has or had pods, newest first.
	// +optional
	// +listType=map
	// +listMapKey=hash
	Revisions []RevisionStatus `json:"revisions,omitempty"`
	// abort latches the abort of one revision. Only another revision clears it.
	// +optional
	Abort *AbortStatus `json:"abort,omitempty"`
	// analysis summarises the AnalysisRun of the canary revision.
	// +optional
	Analysis *AnalysisStatus `json:"analysis,omitempty"`
	// bindings are the Services and routes that carry the traffic now. They
	// follow the spec once nothing is in flight.
	// +optional
	Bindings *Bindings `json:"bindings,omitempty"`
	// originalWeights are those that the routes had before the Rollout steered
	// them. They are written where they say what is wanted, and given back when
	// the Rollout or its strategy goes.
	// +optional
	// +listType=map
	// +listMapKey=list
	OriginalWeights []OriginalWeights `json:"originalWeights,omitempty"`
	// paused says who holds the release by the command pause. Resume clears it.
	// +optional
	Paused *PersonStatus `json:"paused,omitempty"`
	// undo says which revision is released in place of the template's, until the template changes.
	// +optional
	Undo *UndoStatus `json:"undo,omitempty"`
	// analysisSkipped says who goes on without analysis until the end of this release.
	// +optional
	AnalysisSkipped *PersonStatus `json:"analysisSkipped,omitempty"`
	// approvals given in this release.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Approvals []Approval `json:"approvals,omitempty"`
	// restartAt is the time asked for by the command restart: every pod created before it is replaced.
	// +optional
	RestartAt *metav1.Time `json:"restartAt,omitempty"`
	// restartedAt is the latest restart that is complete.
	// +optional
	RestartedAt *metav1.Time `json:"restartedAt,omitempty"`
	// lastCommand is the command handled last.
	// +optional
	LastCommand *CommandStatus `json:"lastCommand,omitempty"`
	// history holds the last ten outcomes, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	History []Outcome `json:"history,omitempty"`
	// conditions follow kstatus: Ready, Reconciling and Stalled summarise; the others give parts.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// replicas is the number of pods of all revisions.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// readyReplicas is the number of ready pods of all revisions.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`
	// updatedReplicas is the number of pods of the wanted revision.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas,omitempty"`
	// selector matches all pods of the Rollout, for the scale subresource.
	// +optional
	Selector string `json:"selector,omitempty"`
}

// CurrentStep is the cursor of a release: which step, and since when.
type CurrentStep struct {
	// index of the step, from 0. Equal to the number of steps while promoting.
	Index int32 `json:"index"`
	// position for people: "3/8", from 1.
	// +optional
	Position string `json:"position,omitempty"`
	// plan identifies the steps as far as this one, as they were when the
	// cursor reached it. An edit of them holds the release until somebody promotes.
	// +optional
	Plan string `json:"plan,omitempty"`
	// weight is the share of the canary that these steps ask for, in percent.
	// +optional
	Weight int32 `json:"weight,omitempty"`
	// since is when the cursor reached the step.
	Since metav1.Time `json:"since"`
	// waitingSince is since when the step has waited for pods or traffic without a
	// pause, without one pod more, see availableSoFar, and without another revision's
	// pods that are kept, see keptSince. The progress deadline counts from it.
	// +optional
	WaitingSince *metav1.Time `json:"waitingSince,omitempty"`
}

// Bindings are the objects through which a Rollout moves traffic.
type Bindings struct {
	// strategy that they belong to: Canary, BlueGreen or RollingUpdate.
	Strategy string `json:"strategy"`
	// service that callers use, where its pods are the split.
	// +optional
	Service string `json:"service,omitempty"`
	// stableService is the Service behind the stable slot, or the active one.
	// +optional
	StableService string `json:"stableService,omitempty"`
	// canaryService is the Service behind the canary slot, or the preview.
	// +optional
	CanaryService string `json:"canaryService,omitempty"`
	// baselineService is the Service behind the baseline slot, made by the
	// controller while a step says baseline.
	// +optional
	BaselineService string `json:"baselineService,omitempty"`
	// routes that are steered.
	// +optional
	// +listType=atomic
	Routes []RouteRef `json:"routes,omitempty"`
	// managed is how many of these, the last ones, are the controller's own.
	// +optional
	Managed int32 `json:"managed,omitempty"`
}

// PersonStatus says who asked for something, when and why.
type PersonStatus struct {
	// by names the person or pipeline.
	By string `json:"by"`
	// at is when it was handled.
	At metav1.Time `json:"at"`
	// reason given.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Approval is a person's permission for one step.
type Approval struct {
	PersonStatus `json:",inline"`
	// step that was approved, from 0.
	Step int32 `json:"step"`
	// redraws says that it let the canary's weight fall after an edit of the steps, so
	// that the users whom a cookie keeps were told apart anew.
	// +optional
	Redraws bool `json:"redraws,omitempty"`
}

// UndoStatus says which revision takes the template's place.
type UndoStatus struct {
	PersonStatus `json:",inline"`
	// of is the template's revision that was undone. Another template ends the undo.
	Of string `json:"of"`
	// to is the revision released instead.
	To string `json:"to"`
}

// RevisionRole says what a revision is to its Rollout.
type RevisionRole string

const (
	// RoleStable is the revision last fully promoted.
	RoleStable RevisionRole = "Stable"
	// RoleCanary is the revision being introduced.
	RoleCanary RevisionRole = "Canary"
	// RoleBaseline is fresh pods of the stable revision that the canary is compared with.
	RoleBaseline RevisionRole = "Baseline"
	// RoleRetired is a revision that is kept for a way back only.
	RoleRetired RevisionRole = "Retired"
)

// RevisionStatus is what is known of one revision.
type RevisionStatus struct {
	// hash identifies the revision's pod template.
	Hash string `json:"hash"`
	// number counts the Rollout's revisions, from 1.
	Number int64 `json:"number"`
	// role of the revision now.
	Role RevisionRole `json:"role"`
	// images of its containers.
	// +optional
	// +listType=atomic
	Images []string `json:"images,omitempty"`
	// replicas wanted.
	Replicas int32 `json:"replicas"`
	// readyReplicas are ready.
	ReadyReplicas int32 `json:"readyReplicas"`
	// availableReplicas have been ready for minReadySeconds.
	AvailableReplicas int32 `json:"availableReplicas"`
	// keptSince is since when fewer replicas are wanted, but not taken, because some of its
	// pods may be unknown to proxies. They are taken all the same once progressDeadlineSeconds
	// and convergence.timeout are over.
	// +optional
	KeptSince *metav1.Time `json:"keptSince,omitempty"`
	// scaleDownAt is when its pods will be removed.
	// +optional
	ScaleDownAt *metav1.Time `json:"scaleDownAt,omitempty"`
	// shrunk is whether this is a stable revision that is kept at its share
	// (scaleStable: Dynamic), or was and has not been known to be there in full since.
	// +optional
	Shrunk bool `json:"shrunk,omitempty"`
}

// AbortStatus latches the abort of one revision.
type AbortStatus struct {
	// revision that was aborted.
	Revision string `json:"revision"`
	// reason in one word.
	Reason string `json:"reason"`
	// message says why, with the numbers.
	Message string `json:"message"`
	// at is when.
	At metav1.Time `json:"at"`
	// by names the person or pipeline, or the controller.
	// +optional
	By string `json:"by,omitempty"`
}

// AnalysisStatus summarises an AnalysisRun for readers of the Rollout.
type AnalysisStatus struct {
	// run is the name of the AnalysisRun.
	Run string `json:"run"`
	// phase of the run.
	// +optional
	Phase AnalysisPhase `json:"phase,omitempty"`
	// message of the run, with the numbers behind it.
	// +optional
	Message string `json:"message,omitempty"`
}

// OutcomeCause says how a release ended.
type OutcomeCause string

const (
	// CausePromoted means that all steps passed.
	CausePromoted OutcomeCause = "Promoted"
	// CauseAborted means that traffic went back to stable.
	CauseAborted OutcomeCause = "Aborted"
	// CauseSuperseded means that a newer revision took its place.
	CauseSuperseded OutcomeCause = "Superseded"
	// CauseStrategyChanged means that the strategy was changed under it; it starts again under the new one.
	CauseStrategyChanged OutcomeCause = "StrategyChanged"
	// CauseRolledBack means that the template went back to stable's.
	CauseRolledBack OutcomeCause = "RolledBack"
)

// Outcome is how one release ended.
type Outcome struct {
	// revision that was released.
	Revision string `json:"revision"`
	// cause says how it ended.
	Cause OutcomeCause `json:"cause"`
	// images of the revision.
	// +optional
	// +listType=atomic
	Images []string `json:"images,omitempty"`
	// startedAt is when the revision was first seen.
	StartedAt metav1.Time `json:"startedAt"`
	// approvals given for it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Approvals []Approval `json:"approvals,omitempty"`
	// endedAt is when the outcome was certain.
	EndedAt metav1.Time `json:"endedAt"`
}
