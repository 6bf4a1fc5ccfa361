// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package endpoint is what providers share that measure over HTTP: bounded
// connections to each server, credentials, limits to what an answer may be, and
// words for every way in which there is none.
//
// A server is never followed to another address, for that one may not be
// allowed and must not see credentials. No text from here holds a secret, and
// equal causes read equal. What an answer means is the providers' own.
package endpoint
