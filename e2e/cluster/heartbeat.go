// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// beatEvery is how often a long piece of work shows that it is still going on.
const beatEvery = 20 * time.Second

// heartbeat says what is being done, and says so again with the time spent
// until it is stopped. It writes whole lines, which read well in a log too.
type heartbeat struct {
	done chan struct{}
	wait sync.WaitGroup
}

func startHeartbeat(w io.Writer, what string) *heartbeat {
	h := &heartbeat{done: make(chan struct{})}
	start := time.Now()
	fmt.Fprintf(w, "%s …\n", what)
	h.wait.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-h.done:
				fmt.Fprintf(w, "%s … took %s\n", what, clock(time.Since(start)))
				return
			case <-tick.C:
				fmt.Fprintf(w, "%s … %s\n", what, clock(time.Since(start)))
			}
		}
	})
	return h
}

func (h *heartbeat) stop() {
	close(h.done)
	h.wait.Wait()
}

// clock renders a duration as minutes and seconds.
func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
