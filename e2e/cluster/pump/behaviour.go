// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package pump

import corev1 "k8s.io/api/core/v1"

// BehaviourKey is the label or annotation of a pod that says what becomes of
// it. An annotation wins over a label, and either may change at any time.
const BehaviourKey = "pump.sluice.dev/behaviour"

// Behaviour is what becomes of a pod.
type Behaviour string

// The behaviours that a pod may ask for.
const (
	// Healthy pods run and become ready; it is the default.
	Healthy Behaviour = ""
	// NeverReady pods run, but their containers never become ready.
	NeverReady Behaviour = "never-ready"
	// Crash pods restart again and again.
	Crash Behaviour = "crash"
	// Stuck pods are bound to the node and then stay pending.
	Stuck Behaviour = "stuck"
)

// behaviourOf reads what a pod asks for.
func behaviourOf(pod *corev1.Pod) Behaviour {
	if asked, ok := pod.Annotations[BehaviourKey]; ok {
		return Behaviour(asked)
	}
	return Behaviour(pod.Labels[BehaviourKey])
}
