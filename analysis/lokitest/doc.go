// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lokitest holds the provider for Loki to the answers of a real Loki. It
// has only a test, which builds Loki from the module in server and runs it on
// loopback; nothing of it is linked into anything of ours. The first build takes
// some ten minutes on two cores, so it is no part of make test; run make test-loki.
package lokitest
