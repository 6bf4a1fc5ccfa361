// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sluice-dev/sluice/internal/kube"
)

const (
	// leaseName is the Lease by which replicas agree on a leader.
	leaseName = "sluice.sluice.dev"
	// leaseDuration is for how long a leader leads after it was last heard of.
	leaseDuration = 15 * time.Second
	// renewDeadline is for how long it tries to be heard, every retryPeriod.
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// namespaceFile tells a pod its own namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// elect has the manager lead only while it holds the lease, and bounds all its
// writes by that: see [kube.Fence].
func elect(config *rest.Config, o options, manager *ctrl.Options) error {
	namespace, err := leaseNamespace(o)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("name this replica: %w", err)
	}
	who := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	lease, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, leaseName, who, config, renewDeadline)
	if err != nil {
		return fmt.Errorf("prepare the Lease %s/%s: %w", namespace, leaseName, err)
	}
	fence := kube.NewFence(clock.RealClock{}, leaseDuration)
	config.Wrap(fence.Transport) // the lease itself has a connection of its own
	duration, deadline, period := leaseDuration, renewDeadline, retryPeriod
	manager.LeaderElection, manager.LeaderElectionID = true, leaseName // the name is what metrics call it
	manager.LeaderElectionResourceLockInterface = fence.Lock(lease)
	manager.LeaderElectionReleaseOnCancel = true // run returns as soon as the manager has stopped
	manager.LeaseDuration, manager.RenewDeadline, manager.RetryPeriod = &duration, &deadline, &period
	return nil
}

func leaseNamespace(o options) (string, error) {
	if o.leaderNamespace != "" {
		return o.leaderNamespace, nil
	}
	own, err := os.ReadFile(namespaceFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("--leader-election-namespace: name the namespace of the Lease, since this is no pod that has one of its own; or set --leader-elect=false for a single replica")
	}
	if err != nil {
		return "", fmt.Errorf("--leader-election-namespace: find the pod's own: %w", err)
	}
	return strings.TrimSpace(string(own)), nil
}
