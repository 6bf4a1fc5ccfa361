// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of a Rollout. Ready, Reconciling and Stalled follow kstatus.
const (
	// ConditionReady is True when the wanted revision carries all traffic.
	ConditionReady = "Ready"
	// ConditionReconciling is present and True while the controller works towards the wanted revision.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True when only a person can get things going again.
	ConditionStalled = "Stalled"
	// ConditionProgressing is True while a release is under way.
	ConditionProgressing = "Progressing"
	// ConditionPaused is True while a pause holds the release.
	ConditionPaused = "Paused"
	// ConditionAvailable is True when the pods that carry traffic are all available.
	ConditionAvailable = "Available"
	// ConditionTrafficConverged is True when the data plane has confirmed the written split.
	ConditionTrafficConverged = "TrafficConverged"
	// ConditionAnalysisHealthy is False when the analysis has failed or can't measure.
	ConditionAnalysisHealthy = "AnalysisHealthy"
	// ConditionTrafficSuffices is present and False when the canary gets too few
	// requests for the analysis to come to an answer in time.
	ConditionTrafficSuffices = "TrafficSuffices"
	// ConditionConfigurationKept is present and False while a revision in use lacks a
	// copy of its configuration that can't be made again.
	ConditionConfigurationKept = "ConfigurationKept"
	// ConditionSpecValid is False when the spec or an object it refers to must be mended first.
	ConditionSpecValid = "SpecValid"
	// ConditionApplied is present and False while the API server refuses a write; it is retried.
	ConditionApplied = "Applied"
)

// Reasons of conditions. Each is also the first word a person reads, so each says one thing.
const (
	// ReasonPromoted: the wanted revision carries all traffic.
	ReasonPromoted = "Promoted"
	// ReasonProgressing: work is under way and needs nobody.
	ReasonProgressing = "Progressing"
	// ReasonWaitingForPods: pods are not available yet.
	ReasonWaitingForPods = "WaitingForPods"
	// ReasonWaitingForEndpoints: a Service does not list the wanted ready endpoints yet.
	ReasonWaitingForEndpoints = "WaitingForEndpoints"
	// ReasonWaitingForTraffic: the data plane has not confirmed the written split yet.
	ReasonWaitingForTraffic = "WaitingForTraffic"
	// ReasonTrafficUnconfirmed: the data plane has not confirmed the written split in time.
	ReasonTrafficUnconfirmed = "TrafficUnconfirmed"
	// ReasonTrafficNotObserved: the requests counted contradict the written split.
	ReasonTrafficNotObserved = "TrafficNotObserved"
	// ReasonPauseStep: a pause step holds the release.
	ReasonPauseStep = "PauseStep"
	// ReasonPausedBySpec: spec.paused holds the release.
	ReasonPausedBySpec = "PausedBySpec"
	// ReasonPausedByCommand: somebody said pause.
	ReasonPausedByCommand = "PausedByCommand"
	// ReasonStepsEdited: an edit changed the steps up to the current one, and nobody has agreed to it.
	ReasonStepsEdited = "StepsEdited"
	// ReasonApproval: an approve step waits for a named person.
	ReasonApproval = "WaitingForApproval"
	// ReasonJobRunning: a job step waits for its Job.
	ReasonJobRunning = "JobRunning"
	// ReasonJobFailed: the Job of a job step failed.
	ReasonJobFailed = "JobFailed"
	// ReasonGateClosed: a gate step has no permission yet.
	ReasonGateClosed = "GateClosed"
	// ReasonTimedOut: nobody came before a step's timeout.
	ReasonTimedOut = "TimedOut"
	// ReasonStrategyChanged: the strategy changed while a revision was in flight.
	ReasonStrategyChanged = "StrategyChanged"
	// ReasonRestarting: pods are being replaced.
	ReasonRestarting = "Restarting"
	// ReasonAnalyzing: an analyze step waits for evidence.
	ReasonAnalyzing = "Analyzing"
	// ReasonAnalysisPassing: every metric is within its bounds.
	ReasonAnalysisPassing = "AnalysisPassing"
	// ReasonAnalysisSuspicious: a metric is out of bounds, not yet for long enough to abort.
	ReasonAnalysisSuspicious = "AnalysisSuspicious"
	// ReasonAnalysisNoData: a metric can't be measured, which never counts as a pass.
	ReasonAnalysisNoData = "AnalysisNoData"
	// ReasonAnalysisInconclusive: the evidence did not suffice in time.
	ReasonAnalysisInconclusive = "AnalysisInconclusive"
	// ReasonAnalysisFailed: a metric breached its bounds.
	ReasonAnalysisFailed = "AnalysisFailed"
	// ReasonAnalysisNotRunning: no analysis is under way.
	ReasonAnalysisNotRunning = "AnalysisNotRunning"
	// ReasonTooLittleTraffic: evidence won't suffice in time, however good the canary is.
	ReasonTooLittleTraffic = "TooLittleTraffic"
	// ReasonAborting: traffic is on its way back to stable.
	ReasonAborting = "Aborting"
	// ReasonAborted: the wanted revision was aborted; stable carries all traffic.
	ReasonAborted = "Aborted"
	// ReasonAbortedByCommand: somebody asked for the abort.
	ReasonAbortedByCommand = "AbortedByCommand"
	// ReasonDeadlineExceeded: a step waited longer than the progress deadline.
	ReasonDeadlineExceeded = "DeadlineExceeded"
	// ReasonRollingBack: the template went back to stable's while a canary was in flight.
	ReasonRollingBack = "RollingBack"
	// ReasonInvalid: the spec or an object it refers to must be mended first.
	ReasonInvalid = "Invalid"
	// ReasonValid: the spec and all objects it refers to are in order.
	ReasonValid = "Valid"
	// ReasonConverged: the data plane has confirmed the written split.
	ReasonConverged = "Converged"
	// ReasonAvailable: the pods that carry traffic are all available.
	ReasonAvailable = "Available"
	// ReasonCopyLost: a copy of tracked configuration was deleted, and its content is not known any more.
	ReasonCopyLost = "CopyLost"
	// ReasonApplyFailed: a write was refused by the API server; it is retried.
	ReasonApplyFailed = "ApplyFailed"
)
