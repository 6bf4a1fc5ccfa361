// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// partWithin is how long a part may take until it serves.
const partWithin = 60 * time.Second

// part is a server of the cluster: one process that outlives the command which
// started it.
type part struct {
	name string
	argv []string
	// ready tells whether the part serves; the error says why not. It is nil for
	// a part that serves nobody: that it runs is all there is to see.
	ready func(ctx context.Context) error
}

// start runs the part inside the namespace, in a session of its own, and notes
// which process it is. Entering by nsenter keeps /sys as it is: a kubelet finds
// no control groups in the fresh one that "ip netns exec" would mount.
func (c *Cluster) start(p part) error {
	log, err := os.OpenFile(c.at.log(p.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", p.name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	cmd := exec.Command("nsenter", append([]string{"--net=" + c.at.netns(), "--"}, p.argv...)...)
	cmd.Dir = c.at.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	go func() { _ = cmd.Wait() }() // so that it does not linger as a zombie while this command runs
	started, ok := lookup(cmd.Process.Pid)
	if !ok {
		return fmt.Errorf("%s ended at once; its log ends with:\n%s", p.name, c.lastWords(p.name))
	}
	text, err := json.Marshal(started)
	if err != nil {
		return fmt.Errorf("noting the process of %s: %w", p.name, err)
	}
	if err := os.WriteFile(c.at.record(p.name), text, 0o644); err != nil {
		return fmt.Errorf("noting the process of %s: %w", p.name, err)
	}
	return nil
}

// recorded reads which process a part is.
func (c *Cluster) recorded(name string) (process, bool) {
	text, err := os.ReadFile(c.at.record(name))
	if err != nil {
		return process{}, false
	}
	var p process
	return p, json.Unmarshal(text, &p) == nil
}

// running tells whether a part's process is alive.
func (c *Cluster) running(name string) bool {
	p, ok := c.recorded(name)
	return ok && p.alive()
}

// await waits until a part serves and says how long that took.
func (c *Cluster) await(ctx context.Context, p part) error {
	return c.waitFor(ctx, p.name, func(ctx context.Context) error {
		if !c.running(p.name) {
			return errEnded{part: p.name, words: c.lastWords(p.name)}
		}
		return p.ready(ctx)
	})
}

// errEnded means that a part's process is gone, so that waiting has no use.
type errEnded struct{ part, words string }

// Error implements error.
func (e errEnded) Error() string {
	return fmt.Sprintf("%s ended; its log ends with:\n%s", e.part, e.words)
}

// lastWords is the end of a part's log.
func (c *Cluster) lastWords(name string) string {
	text, err := os.ReadFile(c.at.log(name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
