// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// kindsWithin is how long an API server may take to serve what has just been
	// applied, and less than a liveness probe bears.
	kindsWithin = 15 * time.Second
	kindsEvery  = 200 * time.Millisecond
)

// awaitKinds waits until the API server serves our kinds: their definitions and
// the controller are one file, and a pod may well be faster than a definition.
func awaitKinds(ctx context.Context, mapper meta.RESTMapper, within time.Duration) error {
	var missing error
	err := wait.PollUntilContextTimeout(ctx, kindsEvery, within, true, func(context.Context) (bool, error) {
		missing = unserved(mapper)
		return missing == nil, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("the API server does not serve all kinds of Sluice: %w; apply deploy/install.yaml, which defines them, and look at kubectl get crds", missing)
}

// unserved says which of our kinds is not served.
func unserved(mapper meta.RESTMapper) error {
	for _, kind := range []string{"Rollout", "AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate"} {
		gvk := v1alpha1.GroupVersion.WithKind(kind)
		if _, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version); err != nil {
			return err
		}
	}
	return nil
}
