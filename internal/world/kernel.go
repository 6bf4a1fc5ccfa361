// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Event is one thing that happens to a world.
type Event struct {
	// Name says what happens, in a few words.
	Name string
	// Do lets it happen.
	Do func()
}

// Span is a range that a delay is drawn from, both ends included.
type Span struct{ Min, Max time.Duration }

// Exactly is the span of one delay.
func Exactly(d time.Duration) Span { return Span{d, d} }

// appointment is an event with the time at which it is due. Of two that are
// due at once, the one made first comes first.
type appointment struct {
	at    time.Duration
	order uint64
	event Event
}

// kernel is time, chance and the queue of what is to come.
type kernel struct {
	// now is the time since the world began.
	now      time.Duration
	queue    []appointment // a binary heap
	made     uint64
	happened int
	rng      *rand.Rand
	talks    bool
	lines    []string
	// words says hashes as people do.
	words *strings.Replacer
}

// epoch is when every world begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// in makes an appointment after a delay drawn from a span.
func (k *kernel) in(s Span, name string, do func()) { k.at(k.now+k.draw(s), name, do) }

// at makes an appointment.
func (k *kernel) at(t time.Duration, name string, do func()) {
	k.made++
	k.queue = append(k.queue, appointment{max(t, k.now), k.made, Event{name, do}})
	for i := len(k.queue) - 1; i > 0; {
		parent := (i - 1) / 2
		if !k.earlier(i, parent) {
			return
		}
		k.queue[i], k.queue[parent] = k.queue[parent], k.queue[i]
		i = parent
	}
}

func (k *kernel) earlier(i, j int) bool {
	a, b := &k.queue[i], &k.queue[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}

// next takes the event that is due first and moves the clock to it.
func (k *kernel) next() (Event, bool) {
	if len(k.queue) == 0 {
		return Event{}, false
	}
	first, last := k.queue[0], len(k.queue)-1
	k.queue[0] = k.queue[last]
	k.queue[last] = appointment{}
	k.queue = k.queue[:last]
	k.sink()
	k.now = first.at
	k.happened++
	return first.event, true
}

func (k *kernel) sink() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(k.queue) {
			return
		}
		if child+1 < len(k.queue) && k.earlier(child+1, child) {
			child++
		}
		if !k.earlier(child, i) {
			return
		}
		k.queue[i], k.queue[child] = k.queue[child], k.queue[i]
		i = child
	}
}

// draw takes a delay from a span.
func (k *kernel) draw(s Span) time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return s.Min + time.Duration(k.rng.Int64N(int64(s.Max-s.Min)+1))
}

// chance is true in percent of all cases.
func (k *kernel) chance(percent int) bool { return percent > 0 && k.rng.IntN(100) < percent }

// time is the true time of day.
func (k *kernel) time() time.Time { return epoch.Add(k.now) }

// logf adds a line to the transcript, if one is kept.
func (k *kernel) logf(format string, args ...any) {
	if !k.talks {
		return
	}
	k.lines = append(k.lines, fmt.Sprintf("%s  %s", clock(k.now), k.words.Replace(fmt.Sprintf(format, args...))))
}

// clock writes a time as minutes, seconds and tenths, with hours when there are any.
func clock(d time.Duration) string {
	tenths := d.Milliseconds() / 100
	text := fmt.Sprintf("%02d:%02d.%d", tenths/600%60, tenths/10%60, tenths%10)
	if hours := tenths / 36000; hours > 0 {
		return fmt.Sprintf("%d:%s", hours, text)
	}
	return text
}
