// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package istio steers the VirtualServices of Istio, over two Services or over
// two subsets of a DestinationRule.
//
// In a VirtualService it writes
//   - the weight of those destinations that name one of the two slots, in the
//     http, tls and tcp routes that the reference chooses;
//   - http routes of its own, named sluice.dev/..., in front of those: they carry
//     matches and cookies, and are copies of the user's route in all but match,
//     destinations and weights;
//   - an entry of mirrors, and the header set-cookie of both destinations;
//   - annotation sluice.dev/beside, which remembers the last two kinds.
//
// In a DestinationRule it writes one label, sluice.dev/revision, of the subsets
// stable and canary. It says which pods a subset stands for, so it is written
// before any weight and taken away after.
//
// Lists are atomic in both, and server-side apply can't own a part of them; so
// everything is written as a JSON patch that holds only for the version it was
// computed from. Objects are read as they are and never written back whole.
//
// Other destinations in a list keep their weights, and the two slots share what
// they had together.
//
// Istio says of no VirtualService that its proxies serve it. What is observed is
// therefore never confirmed but silent, see [traffic.Observed].
//
// A VirtualService under managedRoutes is the controller's own, hence create and
// delete; no other is ever created or deleted, and no DestinationRule is.
//
// +kubebuilder:rbac:groups=networking.istio.io,resources=virtualservices,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.istio.io,resources=destinationrules,verbs=get;list;watch;patch
package istio
