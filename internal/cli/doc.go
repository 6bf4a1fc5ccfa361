// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli is the kubectl plugin: one file for each verb, and beside them
// what the verbs share. It reads objects, lets package view make sense of them
// and draws the result as text. Wishes are written as command annotations and
// nothing else: the controller decides, the plugin reports its answer.
//
// The package takes everything from outside through [Env], so a test runs the
// very command that a person runs.
package cli
