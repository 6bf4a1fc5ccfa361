// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import "syscall"

// dieWithParent makes the kernel end a child when the thread that started it
// goes away. Its own process group keeps a terminal's Ctrl-C from it, so that
// the parent ends it in order.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
