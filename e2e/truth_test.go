// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// truth fails the story unless kubectl get, kubectl describe and kubectl sluice
// get say the same of the Rollout, in words that contain each of the phrases.
// It looks again while the Rollout moves on under its eyes.
func (s *story) truth(phrases ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, "kubectl get, kubectl describe and kubectl sluice get to agree", func(ctx context.Context) (bool, string, error) {
		before, err := s.shop.Rollout(ctx)
		if err != nil {
			return false, "", err
		}
		lies, err := s.lies(ctx, before)
		if err != nil {
			return false, "", err
		}
		after, err := s.shop.Rollout(ctx)
		if err != nil {
			return false, "", err
		}
		if cmp.Diff(before.Status, after.Status) != "" {
			return false, "the Rollout moved on", nil
		}
		for _, phrase := range phrases {
			if !strings.Contains(before.Status.Message, phrase) {
				lies = append(lies, fmt.Sprintf("the message %q does not say %q", before.Status.Message, phrase))
			}
		}
		return len(lies) == 0, strings.Join(lies, "\n"), nil
	}))
}

// lies lists what the three commands say otherwise than the status.
func (s *story) lies(ctx context.Context, r *v1alpha1.Rollout) ([]string, error) {
	get, err := s.shop.Kubectl(ctx, "get", "rollouts", harness.Name, "-o", "wide")
	if err != nil {
		return nil, err
	}
	describe, err := s.shop.Kubectl(ctx, "describe", "rollout", harness.Name)
	if err != nil {
		return nil, err
	}
	tree, err := s.shop.Kubectl(ctx, "sluice", "get", "rollout", harness.Name, "-o", "wide")
	if err != nil {
		return nil, err
	}
	var lies []string
	row, err := harness.Table(get.Stdout)
	if err != nil {
		return nil, fmt.Errorf("kubectl get: %w: %s", err, get.Stderr)
	}
	for title, want := range columns(r) {
		if row[title] != want {
			lies = append(lies, fmt.Sprintf("kubectl get: %s is %q, want %q", title, row[title], want))
		}
	}
	described := []string{"Phase: " + string(r.Status.Phase), "Message: " + r.Status.Message}
	drawn := []string{string(r.Status.Phase), r.Status.Message}
	if r.Status.Traffic != nil { // Nothing is said of weights that can't be read.
		described = append(described, "Canary Weight: "+weight(r))
		for _, w := range r.Status.Traffic.Requested {
			drawn = append(drawn, fmt.Sprintf("Service %s weight %d %%", w.Service, w.Weight))
		}
	}
	for _, want := range described {
		if !strings.Contains(words(describe.Stdout), words(want)) {
			lies = append(lies, fmt.Sprintf("kubectl describe does not say %q: %s", want, describe.Stderr))
		}
	}
	for _, want := range drawn {
		if !strings.Contains(words(tree.Stdout), words(want)) {
			lies = append(lies, fmt.Sprintf("kubectl sluice get does not say %q:\n%s%s", want, tree.Stdout, tree.Stderr))
		}
	}
	return lies, nil
}

// columns are what kubectl get should print, by title.
func columns(r *v1alpha1.Rollout) map[string]string {
	st := r.Status
	c := map[string]string{
		"NAME": r.Name, "STRATEGY": st.Strategy, "PHASE": string(st.Phase), "WEIGHT": weight(r), "STEP": "",
		"READY": strconv.Itoa(int(st.ReadyReplicas)), "IMAGE": st.Image, "STABLE": st.StableRevision, "CANARY": st.CanaryRevision, "MESSAGE": st.Summary, "IN FULL": st.Message,
	}
	if st.CurrentStep != nil {
		c["STEP"] = st.CurrentStep.Position
	}
	return c
}

// weight is the canary's weight as people see it, empty while it can't be read.
func weight(r *v1alpha1.Rollout) string {
	if r.Status.Traffic == nil {
		return ""
	}
	return strconv.Itoa(int(r.Status.Traffic.CanaryWeight))
}

// words puts a single space between words, so that layout does not matter.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// plugin runs kubectl sluice and fails the story unless it ends with the code.
func (s *story) plugin(code int, args ...string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	out, err := s.shop.Kubectl(ctx, append([]string{"sluice"}, args...)...)
	s.must(err)
	if out.Code != code {
		s.Fatalf("kubectl sluice %s ended with code %d, want %d:\n%s%s", strings.Join(args, " "), out.Code, code, out.Stdout, out.Stderr)
	}
	return out.Stdout
}

// command annotates the Rollout and gives what became of it.
func (s *story) command(c v1alpha1.Command) v1alpha1.CommandStatus {
	s.Helper()
	id, err := s.shop.Command(s.Context(), c)
	s.must(err)
	s.wait("the command to be handled", func(r *v1alpha1.Rollout) bool {
		return r.Status.LastCommand != nil && r.Status.LastCommand.ID == id
	})
	return *s.seen.Latest().Status.LastCommand
}

// condition is a condition of the Rollout as last seen; empty when absent.
func condition(r *v1alpha1.Rollout, kind string) (status, reason, message string) {
	for _, c := range r.Status.Conditions {
		if c.Type == kind {
			return string(c.Status), c.Reason, c.Message
		}
	}
	return "", "", ""
}

// reaches waits until a version is confirmed at a weight.
func (s *story) reaches(version string, percent int32) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, fmt.Sprintf("%s to be confirmed at %d %%", version, percent), func(ctx context.Context) (bool, string, error) {
		r := s.seen.Latest()
		return s.confirmed(r, version) == percent, harness.Describe(r), s.learn(ctx)
	}))
}

// confirmed is the confirmed weight of a version in percent, -1 while unknown.
func (s *story) confirmed(r *v1alpha1.Rollout, version string) int32 {
	if r.Status.Traffic == nil || len(r.Status.Traffic.Confirmed) == 0 {
		return -1
	}
	var share int32
	for _, w := range r.Status.Traffic.Confirmed {
		if s.versions[w.Revision] == version {
			share += w.Weight
		}
	}
	return share
}
