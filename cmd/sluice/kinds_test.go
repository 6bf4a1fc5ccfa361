// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// slow serves a kind only once it has been asked for so often.
type slow struct {
	meta.RESTMapper
	kind string
	left int
}

func (s *slow) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if kind.Kind == s.kind && s.left > 0 {
		s.left--
		return nil, &meta.NoKindMatchError{GroupKind: kind, SearchedVersions: versions}
	}
	return s.RESTMapper.RESTMapping(kind, versions...)
}

// TestTheControllerMayBeFasterThanItsKinds: applied by one file, the pod starts before the last definition is served.
func TestTheControllerMayBeFasterThanItsKinds(t *testing.T) {
	env := testenv.Start(t)
	mgr, err := newManager(rest.CopyConfig(env.Config), options{metricsAddress: "0", probeAddress: "0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"Rollout", "AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate"} {
		late := &slow{mgr.GetRESTMapper(), kind, 3}
		if err := awaitKinds(t.Context(), late, time.Minute); err != nil || late.left > 0 {
			t.Errorf("%s: %v, asked for %d times too few", kind, err, late.left)
		}
		err := awaitKinds(t.Context(), &slow{mgr.GetRESTMapper(), kind, 1 << 30}, time.Second)
		if err == nil || !strings.Contains(err.Error(), `"`+kind+`"`) || !strings.Contains(err.Error(), "apply deploy/install.yaml") {
			t.Errorf("%s never comes: %v, want it named with the remedy", kind, err)
		}
	}
}
