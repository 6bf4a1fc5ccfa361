// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// process is one process of this machine. The start time tells it from a later
// one that got the same id.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`
}

// lookup reads a live process. A zombie is not alive.
func lookup(pid int) (process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	state, start, ok := parseStat(string(text))
	if !ok || state == "Z" || state == "X" {
		return process{}, false
	}
	return process{PID: pid, Start: start}, true
}

// parseStat reads state and start time from a line of /proc/PID/stat. The name
// in the second field may hold anything, even blanks and parentheses.
func parseStat(line string) (state, start string, ok bool) {
	end := strings.LastIndexByte(line, ')')
	if end < 0 {
		return "", "", false
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 20 {
		return "", "", false
	}
	return fields[0], fields[19], true
}

// alive tells whether this very process still runs.
func (p process) alive() bool {
	now, ok := lookup(p.PID)
	return ok && now == p
}

// command is the process's command line, shortened for people.
func (p process) command() string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
	line := strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
	if len(line) > 80 {
		line = line[:80] + "…"
	}
	return line
}

// pids lists every process of the machine.
func pids() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}
