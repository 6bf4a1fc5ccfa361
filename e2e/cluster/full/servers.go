// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// partWithin is how long a part may take until it serves.
const partWithin = 3 * time.Minute

// servers runs parts as processes that outlive this command, and finds them
// again by what it has noted.
type servers struct {
	at   layout
	tell progress
}

// startAll starts parts without waiting for any.
func (s servers) startAll(parts []part, in inputs) error {
	for _, p := range parts {
		if err := s.start(p.name, p.argv(in)); err != nil {
			return err
		}
		if p.ready == nil {
			s.tell.say("%-28s started", p.name)
		}
	}
	return nil
}

// awaitAll waits until each of the parts serves.
func (s servers) awaitAll(ctx context.Context, parts []part) error {
	for _, p := range parts {
		if p.ready == nil {
			continue
		}
		if err := s.await(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// start runs a part inside the namespace, in a session of its own, and notes
// which process it is. Entering by nsenter keeps /sys as it is: a kubelet finds
// no control groups in the fresh one that "ip netns exec" would mount.
func (s servers) start(name string, argv []string) error {
	log, err := os.OpenFile(s.at.log(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	if err := keepOpenFiles(); err != nil {
		return err
	}
	cmd := exec.Command("nsenter", append([]string{"--net=" + s.at.netns(), "--"}, argv...)...)
	cmd.Dir = s.at.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }() // so that it does not linger as a zombie while this command runs
	started, ok := lookup(cmd.Process.Pid)
	if !ok {
		return fmt.Errorf("%s ended at once; its log ends with:\n%s", name, s.lastWords(name))
	}
	text, err := json.Marshal(started)
	if err != nil {
		return fmt.Errorf("noting the process of %s: %w", name, err)
	}
	if err := os.WriteFile(s.at.record(name), text, 0o644); err != nil {
		return fmt.Errorf("noting the process of %s: %w", name, err)
	}
	return nil
}

// keepOpenFiles keeps from the programs that are started what this one has been
// handed open. A server outlives its caller, and with it would live any lock
// that the caller holds on such a file.
func keepOpenFiles() error {
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keeping open files from servers: %w", err)
	}
	return nil
}

// recorded reads which process a part is.
func (s servers) recorded(name string) (process, bool) {
	text, err := os.ReadFile(s.at.record(name))
	if err != nil {
		return process{}, false
	}
	var p process
	return p, json.Unmarshal(text, &p) == nil
}

// running tells whether a part's process is alive.
func (s servers) running(name string) bool {
	p, ok := s.recorded(name)
	return ok && p.alive()
}

// await waits until a part serves and says how long that took.
func (s servers) await(ctx context.Context, p part) error {
	return s.tell.waitFor(ctx, p.name, func(ctx context.Context) error {
		if !s.running(p.name) {
			return errEnded{part: p.name, words: s.lastWords(p.name)}
		}
		return p.ready(ctx)
	})
}

// lastWords is the end of a part's log.
func (s servers) lastWords(name string) string {
	text, err := os.ReadFile(s.at.log(name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// errEnded means that a part's process is gone, so that waiting has no use.
type errEnded struct{ part, words string }

// Error implements error.
func (e errEnded) Error() string {
	return fmt.Sprintf("%s ended; its log ends with:\n%s", e.part, e.words)
}
