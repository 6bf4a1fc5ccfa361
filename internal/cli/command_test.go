// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// admin is who the test's kubeconfig speaks for, asked of the cluster once.
func (b *bench) admin() string {
	b.Helper()
	scheme, err := newScheme()
	if err != nil {
		b.Fatal(err)
	}
	return whoami(b.Context(), &cluster{client: b.client, scheme: scheme}, "")
}

func written(t *testing.T, r *v1alpha1.Rollout) v1alpha1.Command {
	t.Helper()
	var command v1alpha1.Command
	if value, ok := r.Annotations[v1alpha1.CommandAnnotation]; ok {
		if err := json.Unmarshal([]byte(value), &command); err != nil {
			t.Fatalf("annotation %q: %v", value, err)
		}
	}
	return command
}

// TestCommand plays the controller that answers promote and abort.
func TestCommand(t *testing.T) {
	type want struct {
		command v1alpha1.Command
		code    int
		out     string
		err     string
	}
	cases := map[string]struct {
		reason string
		args   []string
		answer *v1alpha1.CommandStatus
		want   want
	}{
		"PromoteAccepted": {
			reason: "A promote is meant for one revision and step, and its answer is printed.",
			args:   []string{"promote", "checkout"},
			answer: &v1alpha1.CommandStatus{ID: "id-1", Verb: v1alpha1.VerbPromote, Result: v1alpha1.CommandAccepted, Message: "step 4 ended"},
			want: want{
				command: v1alpha1.Command{ID: "id-1", Verb: v1alpha1.VerbPromote, Revision: canaryHash, Step: ptr(int32(3))},
				out:     "checkout: promote accepted: step 4 ended\n",
			},
		},
		"PromoteRefused": {
			reason: "A refusal ends with code 1, its reason and its remedy.",
			args:   []string{"promote", "rollout/checkout"},
			answer: &v1alpha1.CommandStatus{ID: "id-1", Verb: v1alpha1.VerbPromote, Result: v1alpha1.CommandRefused, Message: "step 4 has passed; ask again"},
			want: want{
				command: v1alpha1.Command{ID: "id-1", Verb: v1alpha1.VerbPromote, Revision: canaryHash, Step: ptr(int32(3))},
				code:    ExitFailed,
				err:     "error: promote of checkout was refused: step 4 has passed; ask again\n",
			},
		},
		"PromoteFull": {
			reason: "A full promote is meant for a revision at whatever step.",
			args:   []string{"promote", "checkout", "--full", "--reason", "hotfix"},
			answer: &v1alpha1.CommandStatus{ID: "id-1", Verb: v1alpha1.VerbPromoteFull, Result: v1alpha1.CommandAccepted},
			want: want{
				command: v1alpha1.Command{ID: "id-1", Verb: v1alpha1.VerbPromoteFull, Revision: canaryHash, Reason: "hotfix"},
				out:     "checkout: promote-full accepted\n",
			},
		},
		"Abort": {
			reason: "An abort carries its reason.",
			args:   []string{"abort", "checkout", "--reason", "guests can't pay"},
			answer: &v1alpha1.CommandStatus{ID: "id-1", Verb: v1alpha1.VerbAbort, Result: v1alpha1.CommandAccepted, Message: "traffic returns"},
			want: want{
				command: v1alpha1.Command{ID: "id-1", Verb: v1alpha1.VerbAbort, Revision: canaryHash, Reason: "guests can't pay"},
				out:     "checkout: abort accepted: traffic returns\n",
			},
		},
		"NoWait": {
			reason: "Without waiting the command is only written.",
			args:   []string{"abort", "checkout", "--wait=false"},
			want: want{
				command: v1alpha1.Command{ID: "id-1", Verb: v1alpha1.VerbAbort, Revision: canaryHash},
				out:     "checkout: abort of revision xz24567892 asked for\n",
			},
		},
		"Unanswered": {
			reason: "Without a controller the wait ends with code 2 and says where to look.",
			args:   []string{"abort", "checkout", "--timeout", "300ms"},
			want: want{
				command: v1alpha1.Command{ID: "id-1", Verb: v1alpha1.VerbAbort, Revision: canaryHash},
				code:    ExitTimeout,
				err: "error: abort of checkout: the controller has not answered within 300ms; the command stays written. " +
					"Check that it runs: kubectl -n sluice-system get deployment sluice\n",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.rollout("checkout", pausedAt(3))
			tc.want.command.By = b.admin()
			r := b.start(tc.args...)
			eventually(t, "command annotation", func() bool { return written(t, b.read("checkout")).ID != "" })
			if tc.answer != nil {
				tc.answer.At = ago(0)
				b.report("checkout", func(st *v1alpha1.RolloutStatus) { st.LastCommand = tc.answer })
			}
			r.end(t)
			got := want{command: written(t, b.read("checkout")), code: r.code, out: r.out.String(), err: r.err.String()}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s\nRun(%v): -want, +got:\n%s", tc.reason, tc.args, diff)
			}
		})
	}
}

// TestCommandThatWaits is not overwritten, save by an abort.
func TestCommandThatWaits(t *testing.T) {
	waits := `{"id":"id-0","verb":"pause","by":"jane"}`
	for name, tc := range map[string]struct {
		reason string
		verb   string
		last   *v1alpha1.CommandStatus
		err    string
	}{
		"Waits":   {"Jane's command would be lost.", "promote", nil, "pause, asked for by jane, waits for the controller"},
		"Other":   {"Another one was handled before it.", "promote", &v1alpha1.CommandStatus{ID: "id-9", At: ago(0)}, "annotate rollouts.sluice.dev checkout sluice.dev/command-`"},
		"Handled": {"Nothing is lost.", "promote", &v1alpha1.CommandStatus{ID: "id-0", At: ago(0)}, ""},
		"Abort":   {"An abort waits for nobody.", "abort", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			status := pausedAt(3)
			if status.LastCommand = tc.last; tc.last != nil {
				tc.last.Verb, tc.last.Result = v1alpha1.VerbPause, v1alpha1.CommandAccepted
			}
			b.rollout("checkout", status, func(r *v1alpha1.Rollout) { r.Annotations = map[string]string{v1alpha1.CommandAnnotation: waits} })
			r := b.run(tc.verb, "checkout", "--wait=false")
			left := b.read("checkout").Annotations[v1alpha1.CommandAnnotation]
			if refused := tc.err != ""; (r.code != 0) != refused || !strings.Contains(r.err.String(), tc.err) || (left == waits) != refused {
				t.Errorf("%s\ncode %d, %q, command %s", tc.reason, r.code, r.err.String(), left)
			}
		})
	}
}

// TestNothingToDo asks for what makes no sense: nothing may be written.
func TestNothingToDo(t *testing.T) {
	aborted := pausedAt(3)
	aborted.Phase = v1alpha1.PhaseDegraded
	aborted.Abort = &v1alpha1.AbortStatus{Revision: canaryHash, Reason: "AnalysisFailed", Message: "errors 12 %", At: ago(0)}
	cases := map[string]struct {
		reason string
		status v1alpha1.RolloutStatus
		args   []string
		want   string
	}{
		"PromoteAtRest": {
			reason: "At rest there is no canary to promote.",
			status: healthy(), args: []string{"promote", "checkout"},
			want: "nothing to promote, no canary is in flight (Healthy: all traffic on revision bcdfghjklm)",
		},
		"AbortAtRest": {
			reason: "At rest there is no canary to abort.",
			status: healthy(), args: []string{"abort", "checkout"},
			want: "nothing to abort, no canary is in flight",
		},
		"PromoteAborted": {
			reason: "No promote brings an aborted revision back.",
			status: aborted, args: []string{"promote", "checkout", "--full"},
			want: "revision xz24567892 was aborted already (errors 12 %); release it again with `kubectl sluice retry checkout`, or change the pod template to release another revision",
		},
		"PromotePastTheEnd": {
			reason: "Behind the last step there is nothing left to skip.",
			status: pausedAt(6), args: []string{"promote", "checkout"},
			want: "nothing to promote, all steps are done",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.rollout("checkout", tc.status)
			r := b.run(tc.args...)
			if r.code != ExitFailed || !strings.Contains(r.err.String(), tc.want) {
				t.Errorf("%s\nRun(%v): code %d, err %q; want code %d, err with %q", tc.reason, tc.args, r.code, r.err.String(), ExitFailed, tc.want)
			}
			if got := written(t, b.read("checkout")); got != (v1alpha1.Command{}) {
				t.Errorf("%s\nRun(%v) wrote %+v", tc.reason, tc.args, got)
			}
		})
	}
}

// TestAskConflict lets the controller write between read and patch.
func TestAskConflict(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.RolloutStatus)
		want   string
	}{
		"SameStep": {
			reason: "A lost race is tried again while the command still means the same.",
			change: func(st *v1alpha1.RolloutStatus) { st.Message = "still paused" },
		},
		"OtherStep": {
			reason: "A command for a step that is over is not written.",
			change: func(st *v1alpha1.RolloutStatus) { st.CurrentStep.Index = 4 },
			want:   "moved on meanwhile (now revision xz24567892, step 5)",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.rollout("checkout", pausedAt(3))
			raced := false
			racing := interceptor.NewClient(b.client, interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					if !raced {
						raced = true
						b.report("checkout", tc.change)
					}
					return c.Patch(ctx, o, p, opts...)
				},
			})
			s := newSession(Env{NewID: func() string { return "id-1" }})
			w := &wish{verb: v1alpha1.VerbPromote, idle: nothingToPromote}
			_, err := s.ask(t.Context(), &cluster{client: racing, namespace: b.namespace}, "checkout", w)
			if tc.want == "" && (err != nil || written(t, b.read("checkout")).ID != "id-1") {
				t.Errorf("%s\nask(…): err %v, want it written", tc.reason, err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || written(t, b.read("checkout")).ID != "") {
				t.Errorf("%s\nask(…): err %v, want %q and nothing written", tc.reason, err, tc.want)
			}
		})
	}
}

// TestAnswerSuperseded lets somebody else's command take the place of ours.
func TestAnswerSuperseded(t *testing.T) {
	b := newBench(t)
	b.rollout("checkout", pausedAt(3))
	// Nothing shows from outside that the command waits, so the other one comes again until it is seen.
	r := b.start("abort", "checkout")
	eventually(t, "command annotation", func() bool { return written(t, b.read("checkout")).ID == "id-1" })
	eventually(t, "end of the command", func() bool {
		for _, id := range []string{"id-1", "id-2"} {
			now := b.read("checkout")
			before := now.DeepCopy()
			now.Annotations[v1alpha1.CommandAnnotation] = `{"id":"` + id + `","verb":"abort"}`
			if err := b.client.Patch(t.Context(), now, client.MergeFrom(before)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-r.done:
			return true
		default:
			return false
		}
	})
	if r.code != ExitFailed || !strings.Contains(r.err.String(), "another command took its place") {
		t.Errorf("Run(abort): code %d, err %q; want code 1 and the reason", r.code, r.err.String())
	}
}
