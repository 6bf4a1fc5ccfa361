// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package testenv gives Go tests a real Kubernetes API server.
//
// A test package that wants one adds
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// and calls Start in its tests. The server is started by the first test that
// asks for it, is shared by all tests of the package, and holds the project's
// and the routers' custom resource definitions. Pods become ready by a pod
// pump; see package pump for how to ask for other behaviour.
//
// Where the server comes from: the cluster of $KUBECONFIG if that is set, else
// the API tier of package cluster, with the binaries of $KUBEBUILDER_ASSETS if
// that is set: etcd and kube-apiserver, as envtest lays them out; the controller
// manager is ours unless a kube-controller-manager is there too.
//
// A cluster named by $KUBECONFIG gets the project's custom resource definitions
// in place of those it has, and keeps them. It must therefore be on this machine,
// or be named by $SLUICE_TEST_SERVER too. Its audit log can't be read, and it has
// a pump only if it is an API tier (sluice-cluster api); on any other cluster the
// tests that wait for pods fail, because no registry has the pods' images.
//
// Nothing is ever skipped: a test that cannot have its server fails and says
// what to do.
package testenv
