// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// marking sees what a controller sends about pods on its way to the API server.
type marking struct {
	next http.RoundTripper
	// loses, when not empty, is taken out of what is sent, as a policy takes a label off.
	loses string
	mu    sync.Mutex
	// run is how many pods were written since pods were last listed, and longest the most of that.
	run, longest int
	written      map[string]int
}

func (m *marking) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, path, is := strings.Cut(r.URL.Path, "/api/v1/namespaces/"); is && strings.Contains(path, "/pods") {
		if err := m.note(r); err != nil {
			return nil, err
		}
	}
	return m.next.RoundTrip(r)
}

func (m *marking) note(r *http.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		m.run = 0
	case http.MethodPatch:
		m.run++
		m.longest = max(m.longest, m.run)
		m.written[r.URL.Path]++
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if m.loses != "" {
			body = bytes.ReplaceAll(body, []byte(m.loses), []byte(`"app":"shop"`))
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return nil
}

// marked is a healthy Rollout of n pods whose controller's writes to pods are seen.
func marked(t *testing.T, n int32) (*shop, *marking, string) {
	t.Helper()
	s := newShop(t)
	env := *testenv.Start(t)
	env.Config = rest.CopyConfig(env.Config)
	seen := &marking{written: map[string]int{}}
	env.Config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		seen.next = next
		return seen
	})
	startController(t, &env, s.ns)
	ro := s.rollout(weight(50), pause())
	ro.Spec.Replicas = ptr.To(n)
	s.create(ro)
	return s, seen, s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
}

func (s *shop) wantLabels(labels map[string]string) {
	s.t.Helper()
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.StableMetadata = &v1alpha1.PodMetadata{Labels: labels}
	})
}

// TestManyPodsAreMarkedInSeveralPasses: whatever happens meanwhile waits for a few
// of them. Each is written once for each change, and a change of mind leaves nothing behind.
func TestManyPodsAreMarkedInSeveralPasses(t *testing.T) {
	t.Parallel()
	s, seen, first := marked(t, 45)
	all := func(what string, has map[string]string, lacks string) {
		t.Helper()
		s.until(what, func(*v1alpha1.Rollout) bool {
			n := 0
			for _, p := range s.pods(first) {
				_, left := p.Labels[lacks]
				for key, value := range has {
					left = left || p.Labels[key] != value
				}
				if !left {
					n++
				}
			}
			note := s.replicaSet(first).Annotations[v1alpha1.RoleAnnotation]
			return n == 45 && !strings.Contains(note, "next")
		})
	}
	s.wantLabels(map[string]string{"role": "stable"})
	all("all marked", map[string]string{"role": "stable"}, "none")
	seen.mu.Lock()
	if seen.longest == 0 || seen.longest > 20 {
		t.Errorf("%d pods were marked in one pass, want 1 to 20", seen.longest)
	}
	for path, n := range seen.written {
		if n != 1 {
			t.Errorf("%s was written %d times for one change", path, n)
		}
	}
	seen.mu.Unlock()

	s.wantLabels(map[string]string{"other": "yes"})
	s.until("begun", func(*v1alpha1.Rollout) bool {
		return strings.Contains(s.replicaSet(first).Annotations[v1alpha1.RoleAnnotation], "other")
	})
	s.wantLabels(map[string]string{"role": "stable"}) // some have the one by now, and some the other
	all("all as before", map[string]string{"role": "stable"}, "other")
}

// TestPodThatDoesNotKeepItsMark: writing it again and again would help nobody, so
// somebody is told.
func TestPodThatDoesNotKeepItsMark(t *testing.T) {
	t.Parallel()
	s, seen, _ := marked(t, 2)
	seen.mu.Lock()
	seen.loses = `"role":"stable"`
	seen.mu.Unlock()
	s.wantLabels(map[string]string{"role": "stable"})
	s.until("told", func(ro *v1alpha1.Rollout) bool {
		c := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionApplied)
		return c != nil && contains(fmt.Sprint(c.Status, c.Message), []string{"False", "does not keep the metadata of its role", "webhook", "stableMetadata"})
	})
	seen.mu.Lock()
	seen.loses = ""
	seen.mu.Unlock()
	s.until("as wanted", func(ro *v1alpha1.Rollout) bool {
		c := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionApplied)
		return ro.Status.Phase == v1alpha1.PhaseHealthy && (c == nil || c.Status == "True")
	})
}
