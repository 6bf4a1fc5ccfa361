// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes of [Run]. The verb status gives them their meaning, and backtest has
// its own; every other verb uses ExitOK, ExitFailed and, where it waits, ExitTimeout.
const (
	// ExitOK means done; for status that the wanted revision is promoted.
	ExitOK = 0
	// ExitFailed means an error or a refusal; for status that the wanted revision was aborted or is degraded.
	ExitFailed = 1
	// ExitTimeout means that the wait ended before the outcome was certain.
	ExitTimeout = 2
	// ExitUnderway means that the release is still under way. Only status without --wait gives it.
	ExitUnderway = 3
	// ExitUnknown means that status could not find out: wrong usage, no such Rollout, no access.
	ExitUnknown = 4
	// ExitInterrupted means that a wait was interrupted from outside.
	ExitInterrupted = 130
)

// Env is what the plugin takes from outside. All fields are required, except as noted.
type Env struct {
	// In is read where a file is named "-".
	In io.Reader
	// Out gets what was asked for.
	Out io.Writer
	// Err gets errors and warnings.
	Err io.Writer
	// Terminal is true when Out is a terminal: a watch then redraws in place instead of printing frames.
	Terminal bool
	// Colour is true when Out may be coloured.
	Colour bool
	// User is the login name, for commands when the cluster does not tell who asks. May be empty.
	User string
	// Version of the plugin, such as v0.1.0.
	Version string
	// Now is the clock.
	Now func() time.Time
	// NewID makes an identifier that no other command has.
	NewID func() string
}

// exit is an error that decides the exit code. Without a message nothing is printed.
type exit struct {
	code    int
	message string
}

func (e exit) Error() string { return e.message }

// Run executes the plugin with the arguments that follow its name, and returns the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	if err.Error() != "" {
		fmt.Fprintln(env.Err, "error:", err)
	}
	var e exit
	switch {
	case errors.As(err, &e):
		return e.code
	case ran.Name() == verbStatus:
		return ExitUnknown
	case ran.Name() == verbBacktest:
		return ExitNoBacktest
	}
	return ExitFailed
}

const rootLong = `See and steer Sluice rollouts.

A release begins when the pod template changes: in Git, with kubectl apply, or with kubectl set image.
Every verb works on the namespace of the kubeconfig's context, or on the one given with -n.

Exit codes:
  0    done
  1    an error, a refusal, or nothing to do; what to do about it is said
  2    waited in vain
status and backtest answer by their exit code and have more; see their --help.`

const rootExample = `  kubectl sluice simulate -f FILE         before shipping: how a release would go
  kubectl sluice list                     all rollouts of the namespace
  kubectl sluice get checkout -w          one rollout, redrawn on every change
  kubectl sluice status checkout --wait   for pipelines: ends with the release
  kubectl sluice promote checkout         end the current pause or analysis
  kubectl sluice abort checkout           back to stable
  kubectl sluice retry checkout           the aborted revision once more
  kubectl sluice backtest --data FILE     how an analysis would have judged`

// What the exit codes of verbs mean that have none of their own.
const (
	readCodes = `Exit codes:
  0    shown
  1    an error: wrong usage, no such rollout or namespace, no access, Sluice not installed`
	wishCodes = `Exit codes:
  0    accepted; with --wait=false: written
  1    refused, nothing to do, or an error; what to do about it is said
  2    the controller did not answer within --timeout; the command stays written
  130  interrupted while waiting; the command stays written`
)

// The flags that say which cluster and whose account are many and the same for
// all verbs: a verb's help leads to them instead of repeating them.
const (
	inheritedFlags = `

Global Flags:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}`
	inheritedInstead = `

-n NAMESPACE, --context, --kubeconfig and other flags of kubectl work too: kubectl sluice --help lists them.`
)

func newRoot(env Env) *cobra.Command {
	s := newSession(env)
	root := &cobra.Command{
		Use:               "kubectl-sluice",
		Short:             "See and steer Sluice rollouts",
		Long:              rootLong,
		Example:           rootExample,
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl sluice"},
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	s.bind(root.PersistentFlags())
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), inheritedFlags, inheritedInstead, 1))
	_ = root.RegisterFlagCompletionFunc("namespace", completeNamespace(s))
	root.AddCommand(newGet(s), newList(s), newStatus(s), newPromote(s), newAbort(s), newUndo(s), newVersion(s), newBacktest(s), newSimulate(s))
	for _, v := range lifecycleVerbs() {
		root.AddCommand(newWish(s, v))
	}
	return root
}
