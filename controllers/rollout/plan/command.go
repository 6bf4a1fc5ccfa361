// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// handleCommand carries out the command in the Rollout's annotation, once. A
// command that does not fit the present moment is refused and moves nothing.
func handleCommand(c cursor, f facts) cursor {
	raw, ok := f.Rollout.Annotations[v1alpha1.CommandAnnotation]
	if !ok || raw == "" {
		return c
	}
	var cmd v1alpha1.Command
	if err := json.Unmarshal([]byte(raw), &cmd); err != nil || cmd.ID == "" {
		cmd = v1alpha1.Command{ID: malformedID(raw)}
	}
	if c.command != nil && c.command.ID == cmd.ID {
		return c
	}
	next, message, accepted := obey(c, f, cmd)
	next.command = &v1alpha1.CommandStatus{
		ID: cmd.ID, Verb: cmd.Verb, Revision: cmd.Revision, By: cmd.By,
		At: stamped(f.Now), Result: v1alpha1.CommandRefused, Message: message,
	}
	if accepted {
		next.command.Result = v1alpha1.CommandAccepted
	}
	return next
}

// malformedID makes a refusal of unreadable text happen once for each text.
func malformedID(raw string) string { return "unreadable: " + raw[:min(len(raw), 64)] }

func obey(c cursor, f facts, cmd v1alpha1.Command) (after cursor, message string, accepted bool) {
	if refusal := misfit(c, f, cmd); refusal != "" {
		return c, refusal, false
	}
	by := cmd.By
	if by == "" {
		by = "an unnamed user"
	}
	switch cmd.Verb {
	case v1alpha1.VerbAbort:
		message := "aborted by " + by
		if cmd.Reason != "" {
			message += ": " + cmd.Reason
		}
		return c.latch(f, v1alpha1.ReasonAbortedByCommand, message, by), message, true
	case v1alpha1.VerbPromoteFull:
		return c.at(int32(len(f.strategy.Steps)), f.Now), "all remaining steps skipped by " + by, true
	default:
		return c.at(c.step+1, f.Now), fmt.Sprintf("step %s ended by %s", c.position(f), by), true
	}
}

// misfit says why a command can't be obeyed now and what to do instead; empty when it can.
func misfit(c cursor, f facts, cmd v1alpha1.Command) string {
	switch cmd.Verb {
	case v1alpha1.VerbPromote, v1alpha1.VerbPromoteFull, v1alpha1.VerbAbort:
	default:
		return fmt.Sprintf("annotation %s: unknown verb %q; use promote, promote-full or abort in JSON such as {\"id\": \"…\", \"verb\": \"promote\"}",
			v1alpha1.CommandAnnotation, cmd.Verb)
	}
	switch c.mode(f) {
	case forward:
	case returning:
		return fmt.Sprintf("revision %s is already on its way back to stable; nothing else can be done with it", c.canary)
	default:
		return "no release is in flight; change the template to start one"
	}
	if cmd.Revision != "" && cmd.Revision != c.canary {
		return fmt.Sprintf("the command is for revision %s, but %s is in flight; look again and repeat it", cmd.Revision, c.canary)
	}
	if cmd.Verb == v1alpha1.VerbAbort {
		return ""
	}
	return cantPromote(c, f, cmd)
}

func cantPromote(c cursor, f facts, cmd v1alpha1.Command) string {
	step, ok := c.current(f)
	switch {
	case !ok:
		return "all steps are done; the revision is being promoted already"
	case len(f.Problems) > 0:
		return fmt.Sprintf("%s: %s", f.Problems[0].Field, f.Problems[0].Message)
	case cmd.Step != nil && *cmd.Step != c.step:
		return fmt.Sprintf("the command is for step %d, but the release is at step %s; look again and repeat it", *cmd.Step+1, c.position(f))
	case cmd.Verb == v1alpha1.VerbPromoteFull:
		return ""
	case step.SetWeight != nil && !weightCarried(c, f, *step.SetWeight):
		return "nothing waits for a person: " + waitingFor(c, f).message + "; use promote --full to skip the remaining steps"
	}
	return ""
}
