// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seeds    = flag.Uint64("seeds", 20000, "random schedules to play")
	seed     = flag.Uint64("seed", 0, "play this one schedule and print its transcript")
	firstOne = flag.Uint64("first", 1, "the first seed; 0 takes the time of day")
)

// TestRandomSchedules checks the nine laws after every event of random schedules.
func TestRandomSchedules(t *testing.T) {
	s, err := NewSchedules()
	if err != nil {
		t.Fatal(err)
	}
	if *seed != 0 {
		o := s.Play(*seed, true)
		t.Log("\n" + strings.Join(o.Transcript, "\n"))
		if o.Err != nil {
			t.Fatalf("seed %d: %v", *seed, o.Err)
		}
		return
	}
	first := *firstOne
	if first == 0 {
		first = uint64(time.Now().UnixMicro())
	}
	debug.SetGCPercent(2000) // schedules leave much behind and keep nothing
	began := time.Now()
	sum, failed := playAll(s, first, *seeds)
	t.Logf("%d schedules from seed %d in %s, %d events", sum.schedules, first, time.Since(began).Round(time.Millisecond), sum.events)
	for law, n := range sum.checked {
		t.Logf("  law %d, judged %d times: %s", law, n, lawNames[law])
	}
	t.Logf("%d aborts; time to 0 %% at worst %s, where nothing disturbed it %s", sum.aborts, sum.slowest.Round(time.Millisecond), sum.slowestCalm.Round(time.Millisecond))
	for kind, f := range failed {
		t.Errorf("%d schedules, the shortest is seed %d: %s\n  seeds %d", len(f.seeds), f.shortest.Seed, kind, f.seeds)
	}
	for _, f := range failed {
		o := s.Play(f.shortest.Seed, true)
		t.Errorf("seed %d: %v\n%s", o.Seed, o.Err, strings.Join(o.Transcript, "\n"))
	}
}

type sum struct {
	schedules, events    int
	checked              [len(lawNames)]int
	aborts               int
	slowest, slowestCalm time.Duration
}

func (s *sum) add(o Outcome) {
	s.schedules++
	s.events += o.Events
	for i, n := range o.Checked {
		s.checked[i] += n
	}
	s.aborts += o.Aborts
	s.slowest, s.slowestCalm = max(s.slowest, o.Slowest), max(s.slowestCalm, o.SlowestCalm)
}

// failure is one way of breaking a law.
type failure struct {
	seeds    []uint64
	shortest Outcome
}

// shape is a failure without its numbers and revisions.
func shape(err error) string {
	text := regexp.MustCompile(`[bcdfghjklmnpqrstvwxz24-9]{10}|v\d[a-z-]*|\d[0-9.hms]*`).ReplaceAllString(err.Error(), "#")
	return text[:min(len(text), 110)]
}

// playAll plays schedules on all processors and sorts the failures by their shapes.
func playAll(s Schedules, first, n uint64) (sum, map[string]*failure) {
	var (
		next   atomic.Uint64
		mu     sync.Mutex
		all    sum
		failed = map[string]*failure{}
		wg     sync.WaitGroup
		news   = progress{began: time.Now(), every: 10 * time.Second, quiet: n <= 20000}
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
				o := s.Play(first+i, false)
				mu.Lock()
				all.add(o)
				if o.Err != nil {
					keep(failed, o)
					news.broken(o)
				}
				news.tell(all.schedules, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return all, failed
}

// progress tells a person who waits how far the schedules are.
type progress struct {
	began time.Time
	told  time.Duration
	every time.Duration
	quiet bool
	found int
}

func (p *progress) tell(played int, all uint64) {
	took := time.Since(p.began)
	if p.quiet || took < p.told+p.every {
		return
	}
	p.told = took
	rate := float64(played) / took.Seconds()
	left := time.Duration((float64(all) - float64(played)) / rate * float64(time.Second))
	fmt.Fprintf(os.Stderr, "%d of %d schedules played, %.0f a second, %s left, %d broke a law\n", played, all, rate, left.Round(time.Second), p.found)
}

// broken tells of a broken law at once: there may be hours to go.
func (p *progress) broken(o Outcome) {
	p.found++
	if !p.quiet {
		fmt.Fprintf(os.Stderr, "seed %d: %v\n", o.Seed, o.Err)
	}
}

func keep(failed map[string]*failure, o Outcome) {
	f := failed[shape(o.Err)]
	if f == nil {
		f = &failure{shortest: o}
		failed[shape(o.Err)] = f
	}
	f.seeds = append(f.seeds, o.Seed)
	if o.Events < f.shortest.Events {
		f.shortest = o
	}
}
