// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// handleCommand carries out the command in the Rollout's annotation, once. A
// command that does not fit the present moment is refused and moves nothing.
func handleCommand(c cursor, f facts) cursor {
	raw, ok := f.Rollout.Annotations[v1alpha1.CommandAnnotation]
	if !ok || raw == "" {
		return c
	}
	cmd, fault := readCommand(raw)
	if c.command != nil && c.command.ID == cmd.ID {
		return c
	}
	next, message, accepted := c, fault, false
	if fault == "" {
		next, message, accepted = obey(c, f, cmd)
	}
	if undecided(f.Rollout.Status) {
		next, message, accepted = c, "the command was there before the Rollout was first looked at, as in a backup that it was restored from; give it again if it is still meant", false
	}
	next.command = &v1alpha1.CommandStatus{
		ID: cmd.ID, Verb: cmd.Verb, Revision: cmd.Revision, By: cmd.By,
		At: stamped(f.Now), Result: v1alpha1.CommandRefused, Message: message,
	}
	if accepted {
		next.command.Result = v1alpha1.CommandAccepted
	}
	return next
}

// readCommand reads the annotation's text, or says what is wrong with it.
func readCommand(raw string) (cmd v1alpha1.Command, fault string) {
	err := json.Unmarshal([]byte(raw), &cmd)
	switch {
	case err != nil:
		fault = fmt.Sprintf("annotation %s can't be read: %v; write JSON such as %s, or use kubectl sluice", v1alpha1.CommandAnnotation, err, sampleCommand)
	case cmd.ID == "":
		fault = fmt.Sprintf("annotation %s lacks \"id\", by which a command is told from the one before; give each its own, as in %s, or use kubectl sluice",
			v1alpha1.CommandAnnotation, sampleCommand)
	default:
		return cmd, ""
	}
	return v1alpha1.Command{ID: malformedID(raw)}, fault
}

// sampleCommand shows people what a command looks like.
const sampleCommand = `{"id": "1", "verb": "promote", "by": "jane"}`

// undecided reports whether nothing was ever decided about a Rollout.
func undecided(st v1alpha1.RolloutStatus) bool {
	return st.Phase == "" && st.StableRevision == "" && st.CanaryRevision == ""
}

// malformedID makes a refusal of unreadable text happen once for each text. Half a
// character would be stored as another one, and the text be refused in each pass.
func malformedID(raw string) string {
	return "unreadable: " + strings.ToValidUTF8(raw[:min(len(raw), 64)], "")
}

// obey carries a command out, or says why not.
func obey(c cursor, f facts, cmd v1alpha1.Command) (after cursor, message string, accepted bool) {
	o, known := orders[cmd.Verb]
	if !known {
		return c, fmt.Sprintf("annotation %s: unknown verb %q; use one of %s in JSON such as %s",
			v1alpha1.CommandAnnotation, cmd.Verb, strings.Join(verbs(), ", "), sampleCommand), false
	}
	if cmd.Revision != "" && cmd.Revision != c.canary && (c.canary != "" || cmd.Revision != c.stable) {
		return c, fmt.Sprintf("the command is for revision %s, but %s is in flight; look again and repeat it", cmd.Revision, orNobody(c.canary)), false
	}
	if refusal := o.refuse(c, f, cmd); refusal != "" {
		return c, refusal, false
	}
	if cmd.By == "" {
		cmd.By = "an unnamed user"
	}
	after, message = o.carryOut(c, f, cmd)
	return after, message, true
}

// order is how one verb is judged and carried out.
type order struct {
	// refuse says why the command does not fit the moment and what to do instead; empty when it fits.
	refuse func(cursor, facts, v1alpha1.Command) string
	// carryOut gives the cursor after it, and says what was done.
	carryOut func(cursor, facts, v1alpha1.Command) (cursor, string)
}

// orders has each verb. Only retry and undo clear an abort, and each of them begins
// another release.
var orders = map[v1alpha1.Verb]order{
	v1alpha1.VerbPromote:      {cantPromote, promoteStep},
	v1alpha1.VerbPromoteFull:  {cantPromoteFull, promoteFull},
	v1alpha1.VerbAbort:        {cantAbort, abortByCommand},
	v1alpha1.VerbRetry:        {cantRetry, retry},
	v1alpha1.VerbPause:        {cantPause, pauseByCommand},
	v1alpha1.VerbResume:       {cantResume, resume},
	v1alpha1.VerbRestart:      {cantRestart, restartNow},
	v1alpha1.VerbUndo:         {cantUndo, undo},
	v1alpha1.VerbSkipAnalysis: {cantSkip, skipAnalysis},
}

func verbs() []string {
	all := make([]string, 0, len(orders))
	for v := range orders {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return all
}

func person(f facts, cmd v1alpha1.Command) v1alpha1.PersonStatus {
	return v1alpha1.PersonStatus{By: cmd.By, At: stamped(f.Now), Reason: cmd.Reason}
}

// notInFlight refuses what needs a release that moves forward.
func notInFlight(c cursor, f facts) string {
	m := c.mode(f)
	if m == forward {
		return ""
	}
	if c.aborted() && !c.takenBackFor(v1alpha1.ReasonRollingBack) && !c.takenBackFor(v1alpha1.ReasonStrategyChanged) {
		return fmt.Sprintf("revision %s was aborted; retry releases it again, a change of the template another", c.canary)
	}
	if m == returning {
		return fmt.Sprintf("revision %s is already on its way back to stable; nothing else can be done with it", c.canary)
	}
	if m == rebinding {
		return "the strategy has changed and is still being put in place; repeat the command in a moment"
	}
	return "no release is in flight; change the template to start one"
}

func cantAbort(c cursor, f facts, _ v1alpha1.Command) string { return notInFlight(c, f) }

func abortByCommand(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	message := "aborted by " + cmd.By
	if cmd.Reason != "" {
		message += ": " + cmd.Reason
	}
	return c.latch(f, v1alpha1.ReasonAbortedByCommand, message, cmd.By), message
}

func cantPromote(c cursor, f facts, cmd v1alpha1.Command) string {
	if refusal := cantPromoteFull(c, f, cmd); refusal != "" {
		return refusal
	}
	if c.edited {
		return cantAcceptEdit(cmd)
	}
	step, _ := c.current(f)
	switch {
	case step.moves() && !c.reached(f) && !c.free(f):
		return "no step waits for a person: " + pausedHold(c, f).message
	case step.moves() && !c.reached(f):
		return "nothing waits for a person: " + waitingFor(c, f).message + "; use promote --full to skip the remaining steps"
	case step.Approve != nil && cmd.By == "":
		return "an approve step wants to know who approves; name yourself in \"by\""
	case step.Job != nil:
		return fmt.Sprintf("the step waits for Job %s; wait for it, or abort", jobName(c, f))
	}
	return ""
}

func promoteStep(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	if c.edited {
		c, message := acceptEdit(c, f, cmd)
		return c, message + stillPaused(c, f)
	}
	message := fmt.Sprintf("step %s ended by %s", c.position(f), cmd.By)
	if step, _ := c.current(f); step.Approve != nil {
		c, message = approved(c, f, cmd), fmt.Sprintf("step %s approved by %s", c.position(f), cmd.By)
	}
	return c.at(c.step+1, f.Now), message + stillPaused(c, f)
}

// stillPaused says that a command which ends a step does not end a pause of everything.
func stillPaused(c cursor, f facts) string {
	if mayBegin(c, f) {
		return ""
	}
	return "; nothing moves yet: " + pausedHold(c, f).message
}

func cantPromoteFull(c cursor, f facts, cmd v1alpha1.Command) string {
	if refusal := notInFlight(c, f); refusal != "" {
		return refusal
	}
	_, ok := c.current(f)
	switch {
	case !ok && !c.edited:
		return "all steps are done; the revision is being promoted already"
	case len(f.Problems) > 0:
		return fmt.Sprintf("%s: %s", f.Problems[0].Field, f.Problems[0].Message)
	case cmd.Step != nil && *cmd.Step != c.step:
		return fmt.Sprintf("the command is for step %d, but the release is at step %s; look again and repeat it", *cmd.Step+1, c.position(f))
	}
	return ""
}

func promoteFull(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	return c.at(max(c.step, int32(len(f.strategy.steps))), f.Now), "all remaining steps skipped by " + cmd.By + stillPaused(c, f)
}

func cantRetry(c cursor, f facts, _ v1alpha1.Command) string {
	switch {
	case !c.aborted():
		return "no aborted revision is in flight; retry releases an aborted revision again"
	case f.Target != c.canary:
		return fmt.Sprintf("the aborted revision %s is no longer wanted; the template's is %s", c.canary, f.Target)
	case f.rebinding:
		return "the strategy has changed and is still being put in place; repeat the command in a moment"
	}
	return ""
}

func retry(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	return c.begin(c.canary, f), fmt.Sprintf("revision %s released again by %s", c.canary, cmd.By)
}

func cantPause(c cursor, _ facts, _ v1alpha1.Command) string {
	if c.paused != nil {
		return "the Rollout is paused already, by " + c.paused.By
	}
	return ""
}

func pauseByCommand(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	p := person(f, cmd)
	c.paused = &p
	return c, "paused by " + cmd.By
}

func cantResume(c cursor, f facts, _ v1alpha1.Command) string {
	switch {
	case c.paused != nil:
		return ""
	case f.Rollout.Spec.Paused:
		return "spec.paused holds the Rollout; set it to false where it is written"
	}
	return "nothing was paused by command; use promote to end a pause step"
}

func resume(c cursor, _ facts, cmd v1alpha1.Command) (cursor, string) {
	c.paused = nil
	return c, "resumed by " + cmd.By
}

func cantRestart(c cursor, _ facts, _ v1alpha1.Command) string {
	if c.stable == "" {
		return "no revision is stable yet; there is nothing to restart"
	}
	return ""
}

func restartNow(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	at := stamped(f.Now)
	c.restart.asked = &at
	message := fmt.Sprintf("every pod created before %s will be replaced, asked for by %s", at.UTC().Format(time.RFC3339), cmd.By)
	if c.mode(f) != resting {
		message += "; that waits until nothing is in flight"
	}
	return c, message + stillPaused(c, f)
}

func cantSkip(c cursor, f facts, _ v1alpha1.Command) string {
	if refusal := notInFlight(c, f); refusal != "" {
		return refusal
	}
	if len(f.strategy.analyses) == 0 {
		return "the strategy has no analysis to skip"
	}
	return ""
}

func skipAnalysis(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	p := person(f, cmd)
	c.skipped = &p
	return c, "analysis skipped until the end of this release by " + cmd.By
}

func cantUndo(c cursor, f facts, cmd v1alpha1.Command) string {
	to := undoTarget(c, cmd)
	switch {
	case c.stable == "":
		return "no revision is stable yet; there is nothing to go back to"
	case to == "":
		return "no earlier promoted revision is remembered; name one, by --to-revision of the plugin or toRevision of the command"
	case to == f.Target:
		return fmt.Sprintf("revision %s is wanted already", to)
	case f.revisions.of(to).Name == "" && to != f.written:
		return fmt.Sprintf("revision %s has no ReplicaSet any more; choose one that kubectl sluice get shows, or raise spec.revisionHistoryLimit", to)
	}
	return ""
}

// undoTarget is the revision that undo goes back to.
func undoTarget(c cursor, cmd v1alpha1.Command) string {
	if cmd.ToRevision != "" {
		return cmd.ToRevision
	}
	if c.canary != "" {
		return c.stable
	}
	for _, o := range c.history {
		if o.Cause == v1alpha1.CausePromoted && o.Revision != c.stable {
			return o.Revision
		}
	}
	return ""
}

// undo puts an earlier revision in the template's place until the template
// changes. The spec stays as Git wrote it.
func undo(c cursor, f facts, cmd v1alpha1.Command) (cursor, string) {
	to := undoTarget(c, cmd)
	message := fmt.Sprintf("revision %s takes the place of the template's %s until the template changes, asked for by %s", to, f.written, cmd.By)
	if to == f.written {
		c.undo = nil
		return c, fmt.Sprintf("the template's revision %s is wanted again, asked for by %s", to, cmd.By)
	}
	c.undo = &v1alpha1.UndoStatus{PersonStatus: person(f, cmd), Of: f.written, To: to}
	return c, message
}
