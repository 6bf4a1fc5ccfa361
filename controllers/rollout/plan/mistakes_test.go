// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// The API server takes any template of a Job, so a slip in it is told here.
func TestUnreadableTemplateOfAJob(t *testing.T) {
	steps := []v1alpha1.Step{weightStep(20), {Job: &v1alpha1.JobStep{Template: v1alpha1.JobTemplate{Unreadable: "spec is a text"}}}, {Job: &v1alpha1.JobStep{}}}
	ro := &v1alpha1.Rollout{Spec: v1alpha1.RolloutSpec{Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: steps}}}}
	f := facts{&said{Snapshot: Snapshot{Rollout: ro}, strategy: strategyOf(ro.Spec)}}
	found := mistakes(f)
	if len(found) != 1 || found[0].Field != "spec.strategy.canary.steps[1].job.template" || !strings.Contains(found[0].Message, "(spec is a text); correct it") {
		t.Errorf("got %v, want one problem at steps[1] with the reason", found)
	}
}

// What the API server would refuse on every pod is told before any is asked for it, and always in the same words.
func TestMetadataThatNoPodCanHave(t *testing.T) {
	for name, tc := range map[string]struct {
		reason         string
		stable, canary v1alpha1.PodMetadata
		want           []string
	}{
		"Fine": {"a domain, an empty value and any annotation are", v1alpha1.PodMetadata{
			Labels: map[string]string{"example.com/team": "a-b", "x": ""}, Annotations: map[string]string{"Example.com/Note": "shop & cart"}}, v1alpha1.PodMetadata{}, nil},
		"Value": {"no label takes a blank", v1alpha1.PodMetadata{Labels: map[string]string{"team": "shop & cart"}}, v1alpha1.PodMetadata{},
			[]string{`stableMetadata.labels: label "team" has a value that no label can have, "shop & cart"; use`}},
		"Keys": {"nor does a key", v1alpha1.PodMetadata{}, v1alpha1.PodMetadata{Labels: map[string]string{"a b": "1"}, Annotations: map[string]string{"c d": ""}},
			[]string{`canaryMetadata.labels: label "a b" is no name`, `canaryMetadata.annotations: annotation "c d" is no name`}},
		"Several": {"the order of a map is none", v1alpha1.PodMetadata{Labels: map[string]string{"app": "x", "b c": "", "d e": ""}}, v1alpha1.PodMetadata{Labels: map[string]string{"app": "x"}},
			[]string{`stableMetadata.labels: label "app" selects the pods; choose another label`, `stableMetadata.labels: label "b c"`, `stableMetadata.labels: label "d e"`, `canaryMetadata.labels: label "app"`}},
	} {
		t.Run(name, func(t *testing.T) {
			of := func(s *Snapshot) {
				s.Rollout.Spec.Strategy.Canary.StableMetadata, s.Rollout.Spec.Strategy.Canary.CanaryMetadata = &tc.stable, &tc.canary
			}
			for range 20 {
				found := mistakes(assess(scene(of)))
				for i := range found {
					line := strings.TrimPrefix(found[i].Field, "spec.strategy.canary.") + ": " + found[i].Message
					if i >= len(tc.want) || !strings.HasPrefix(line, tc.want[i]) {
						t.Fatalf("%s: problem %d is %q, want %q", tc.reason, i, line, tc.want)
					}
				}
				if len(found) != len(tc.want) {
					t.Fatalf("%s: %d problems, want %d", tc.reason, len(found), len(tc.want))
				}
			}
		})
	}
}

// An abort returns traffic beside metadata that no pod can have, and asks no pod for it.
func TestAbortBesideMetadataThatNoPodCanHave(t *testing.T) {
	moment{"the way back does not wait for a slip to be mended", scene(canaryOf(1, 2, 25), settledNow, says(v1alpha1.VerbAbort), func(s *Snapshot) {
		s.Rollout.Spec.Strategy.Canary.StableMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"team": "shop & cart"}}
	}), []string{"canary 0 %"}, []string{"metadata on"}}.check(t)
}

// A command that is none is refused once, wherever its stored beginning ends.
func TestMalformedCommandIsRefusedOnce(t *testing.T) {
	for n := range 80 {
		s := scene(func(s *Snapshot) {
			s.Rollout.Annotations = map[string]string{v1alpha1.CommandAnnotation: `{"verb": "` + strings.Repeat("a", n) + strings.Repeat("ü€😀", 20) + `"}`}
		})
		text, err := json.Marshal(Decide(s).Status)
		if err != nil {
			t.Fatal(err)
		}
		s.Rollout.Status = v1alpha1.RolloutStatus{}
		if err := json.Unmarshal(text, &s.Rollout.Status); err != nil {
			t.Fatal(err)
		}
		s.Now = s.Now.Add(5 * time.Second)
		if diff := cmp.Diff(s.Rollout.Status.LastCommand, Decide(s).Status.LastCommand); diff != "" {
			t.Fatalf("after %d letters, refused again (-stored +now):\n%s", n, diff)
		}
	}
}
