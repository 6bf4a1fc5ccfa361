// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// errPortTaken means that somebody took a port between our finding it free and
// the server's listening on it. Only the server's log can tell.
var errPortTaken = errors.New("the port was taken meanwhile")

// children are the servers of an API tier, in the order of starting. Their logs
// go to one folder.
type children struct {
	dir  string
	list []*child
}

// start runs a program, given with its leading arguments, with flags.
func (cs *children) start(name string, command []string, flags controlplane.Flags) error {
	c, err := startChild(cs.dir, name, append(command, flags.Args()...)...)
	if err != nil {
		return err
	}
	cs.list = append(cs.list, c)
	return nil
}

// stop ends them all, the last first.
func (cs *children) stop() {
	for _, c := range slices.Backward(cs.list) {
		// Nothing is worth keeping, so nobody gets time to tidy up.
		c.stop(100 * time.Millisecond)
	}
}

// await asks until the answer is yes, a server ends, or the context does. Its
// error shows what the servers said last.
func (cs *children) await(ctx context.Context, what string, ask func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := ask()
		if ok {
			return nil
		}
		if ended := cs.anyEnded(what); ended != nil {
			return ended
		}
		select {
		case <-ctx.Done():
			last := cs.list[len(cs.list)-1]
			return fmt.Errorf("waiting for %s: %w; the log of %s ends with:\n%s",
				what, errors.Join(ctx.Err(), err), last.name, last.lastWords())
		case <-tick.C:
		}
	}
}

// anyEnded is an error if one of them has ended.
func (cs *children) anyEnded(what string) error {
	for _, c := range cs.list {
		if !c.ended() {
			continue
		}
		words := c.lastWords()
		if strings.Contains(words, "address already in use") {
			return fmt.Errorf("%s: %w", c.name, errPortTaken)
		}
		return fmt.Errorf("%s ended (%w) while waiting for %s; its log ends with:\n%s", c.name, c.err, what, words)
	}
	return nil
}
