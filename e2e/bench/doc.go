// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures what the controller costs the API server and the
// machine. It runs the real controller process, under the roles that
// deploy/install.yaml gives it, against the API tier, and reads every figure
// from the API server's audit log, by user agent.
//
// No container runs in the API tier and nothing carries traffic. The data plane
// is a stand-in of this command, which accepts each generation of a route a
// moment after it was written, as Traefik does; pods become ready by the pod
// pump. What is measured is the controller's own doing, not a data plane.
package main
