// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// labelled is the note of labels.
func labelled(pairs ...string) string {
	m := Mark{Labels: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		m.Labels[pairs[i]] = pairs[i+1]
	}
	return m.text()
}

func podWith(pairs ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}}}
	for i := 0; i < len(pairs); i += 2 {
		p.Labels[pairs[i]] = pairs[i+1]
	}
	return p
}

// TestFewPodsAreMarkedInOnePass: an abort that comes meanwhile waits for no more of
// them, and those that carry it already are not written again.
func TestFewPodsAreMarkedInOnePass(t *testing.T) {
	s := scene(canaryOf(2, 2, 25), settledNow, roles)
	sum := 0
	for _, a := range Decide(s).Actions {
		if m, is := a.(MarkRevision); is {
			sum += m.Pods
		}
	}
	if sum == 0 || sum > 20 {
		t.Errorf("a pass that marks both revisions marks %d pods, want 1 to 20", sum)
	}
	a := MarkRevision{Mark: labelled("role", "stable"), Pods: 20}
	var pods []*corev1.Pod
	for i := range 45 {
		p := podWith()
		p.Name = fmt.Sprint(i)
		pods = append(pods, p)
	}
	for pass, want := range []struct {
		pods int
		more bool
	}{{20, true}, {20, true}, {5, false}, {0, false}} {
		next, more := a.Next(pods)
		if len(next) != want.pods || more != want.more {
			t.Errorf("pass %d marks %d pods, more %t; want %v", pass+1, len(next), more, want)
		}
		for _, p := range next {
			p.Labels["role"] = "stable"
		}
	}
}

// TestPodsThatLackAMark: what they should carry, and what they should not.
func TestPodsThatLackAMark(t *testing.T) {
	toB := MarkRevision{Before: labelled("role", "a", "a", "1"), Mark: labelled("role", "b")}
	for name, tc := range map[string]struct {
		reason string
		action MarkRevision
		pod    *corev1.Pod
		want   bool
	}{
		"New":      {"it comes from the template", toB, podWith("role", "b"), false},
		"Old":      {"it has what it had", toB, podWith("role", "a", "a", "1"), true},
		"Leftover": {"something is left of what it had", toB, podWith("role", "b", "a", "1"), true},
		"Bare":     {"it has nothing", toB, podWith(), true},
		"Off":      {"everything is to go", MarkRevision{Before: labelled("role", "a")}, podWith("role", "a"), true},
		"Gone":     {"and has", MarkRevision{Before: labelled("role", "a")}, podWith(), false},
		"Empty":    {"an empty value is one", MarkRevision{Mark: labelled("role", "")}, podWith(), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.action.Lacks(tc.pod); got != tc.want {
				t.Errorf("%s: %t, want %t", tc.reason, got, tc.want)
			}
		})
	}
}

// TestMindChangedWhilePodsAreMarked: some pods have the one and some the other
// then. The note tells both, so that neither is left on any pod.
func TestMindChangedWhilePodsAreMarked(t *testing.T) {
	a, b, c := labelled("a", "1"), labelled("b", "1"), labelled("c", "1")
	halfway := MarkRevision{Before: a, Mark: b}.Begun()
	for name, tc := range map[string]struct {
		reason       string
		before, mark string
		want         map[string]any
		unchanged    bool
	}{
		"GoesOn":  {"the note says so already", halfway, b, map[string]any{"a": nil, "b": "1"}, true},
		"Another": {"pods may have either by then", halfway, c, map[string]any{"a": nil, "b": nil, "c": "1"}, false},
		"Back":    {"what some pods got goes again", halfway, a, map[string]any{"a": "1", "b": nil}, false},
		"Nothing": {"both go", halfway, "", map[string]any{"a": nil, "b": nil}, false},
		"First":   {"there was nothing", "", b, map[string]any{"b": "1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			action := MarkRevision{Before: tc.before, Mark: tc.mark}
			if diff := cmp.Diff(tc.want, action.Metadata()["labels"]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if unchanged := action.Begun() == tc.before; unchanged != tc.unchanged {
				t.Errorf("%s: the note stays as it is: %t, want %t", tc.reason, unchanged, tc.unchanged)
			}
			again := MarkRevision{Before: action.Begun(), Mark: tc.mark}
			if again.Begun() != again.Before {
				t.Errorf("%s: a second pass notes %s after %s", tc.reason, again.Begun(), again.Before)
			}
			if diff := cmp.Diff(action.Metadata(), again.Metadata()); diff != "" {
				t.Errorf("%s: a second pass writes something else (-first +second):\n%s", tc.reason, diff)
			}
		})
	}
	// Whatever is wanted, a note that says that pods are being marked is none of it.
	for _, want := range []string{a, b} {
		s := scene(settledNow, roles, func(s *Snapshot) {
			s.Rollout.Spec.Strategy.Canary.StableMetadata.Labels = ReadMark(want).Labels
			s.Revisions[0].Mark = halfway
		})
		if got := inOrder(Decide(s)); len(got) != 1 || got[0] != "put the role's metadata on shop-v1" {
			t.Errorf("half-way, with %s wanted: %q", want, got)
		}
	}
}
