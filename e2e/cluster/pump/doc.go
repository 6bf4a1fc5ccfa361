// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pump plays scheduler and kubelet for a control plane that has no
// nodes: it binds pods to one fake node and reports them as running and ready.
//
// Everything else about the pods is real: the Deployments, ReplicaSets, Services
// and EndpointSlices around them are the work of the real controllers. No
// container ever runs, so nothing answers at a pod's address.
//
// A pod tells the pump what to do with it by the label or annotation
// [BehaviourKey].
package pump
