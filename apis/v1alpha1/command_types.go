// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Verb is what a command asks for.
type Verb string

const (
	// VerbPromote ends the current pause, approve, gate or analyze step, or goes on with
	// steps that were edited under way.
	VerbPromote Verb = "promote"
	// VerbPromoteFull skips all remaining steps; capacity and traffic are still awaited.
	VerbPromoteFull Verb = "promote-full"
	// VerbAbort returns all traffic to stable.
	VerbAbort Verb = "abort"
	// VerbRetry releases an aborted revision again, from the first step.
	VerbRetry Verb = "retry"
	// VerbPause holds the release where it is, as spec.paused does.
	VerbPause Verb = "pause"
	// VerbResume ends what pause began.
	VerbResume Verb = "resume"
	// VerbRestart replaces every pod that exists now, as spec.restartAt does.
	VerbRestart Verb = "restart"
	// VerbUndo releases an earlier revision until the template changes again.
	VerbUndo Verb = "undo"
	// VerbSkipAnalysis goes on without analysis until the end of the release.
	VerbSkipAnalysis Verb = "skip-analysis"
)

// Command is the JSON value of [CommandAnnotation]. It is handled once, which
// lastCommand in the status records.
type Command struct {
	// ID distinguishes this command from any other; a UUID serves.
	ID string `json:"id"`
	// Verb is what is asked for.
	Verb Verb `json:"verb"`
	// Revision the command is meant for. A command for another revision is refused.
	Revision string `json:"revision,omitempty"`
	// Step the command is meant for, from 0. A command for another step is refused.
	Step *int32 `json:"step,omitempty"`
	// ToRevision is the revision that undo goes back to. Default: the stable
	// revision while a release is in flight, else the one promoted before it.
	ToRevision string `json:"toRevision,omitempty"`
	// By names who asks.
	By string `json:"by,omitempty"`
	// Reason says why.
	Reason string `json:"reason,omitempty"`
}

// CommandResult says what became of a command.
type CommandResult string

const (
	// CommandAccepted means that it was carried out.
	CommandAccepted CommandResult = "Accepted"
	// CommandRefused means that nothing was changed.
	CommandRefused CommandResult = "Refused"
)

// CommandStatus records the command handled last.
type CommandStatus struct {
	// id of the command.
	ID string `json:"id"`
	// verb of the command.
	Verb Verb `json:"verb"`
	// revision it was meant for.
	// +optional
	Revision string `json:"revision,omitempty"`
	// by names who asked.
	// +optional
	By string `json:"by,omitempty"`
	// at is when it was handled.
	At metav1.Time `json:"at"`
	// result says what became of it.
	Result CommandResult `json:"result"`
	// message says why, and what to do instead when it was refused.
	// +optional
	Message string `json:"message,omitempty"`
}
