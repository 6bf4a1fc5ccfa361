// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs holds the pages for users to what the project does: objects are
// admitted by a real API server, Rollouts are played to their end, commands
// and flags exist, links lead somewhere, transcripts are what is printed, and
// lists that claim to be complete are. It has tests only.
package docs
