// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dirPrefix begins the name of an API tier's folder; the id of the process that
// owns it follows.
const dirPrefix = "sluice-api-"

// sweep removes the folders of API tiers whose process was killed before it
// could.
func sweep(temp string) {
	dirs, err := filepath.Glob(filepath.Join(temp, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		owner, ok := ownerOf(filepath.Base(dir))
		if ok && syscall.Kill(owner, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}

// ownerOf reads the process id out of a folder's name.
func ownerOf(name string) (int, bool) {
	id, _, ok := strings.Cut(strings.TrimPrefix(name, dirPrefix), "-")
	owner, err := strconv.Atoi(id)
	return owner, ok && err == nil
}
