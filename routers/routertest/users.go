// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routertest

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// Answer is one of the things that a data plane may do with a request.
type Answer struct {
	// Slot that gets the request.
	Slot traffic.Slot
	// Part of the requests for which that is so, of the sum over all answers.
	Part int64
	// SetCookie is what is added to the answer; empty adds nothing.
	SetCookie string
}

// Plane is what a data plane does with a request that brings a Cookie header.
type Plane func(cookies string) []Answer

// people are how many users are drawn by lot.
const people = 4_000

// alone is how rarely chance alone may fail a whole run: confidence 99.9 %.
const alone = 0.001

// Users holds a router against what stickiness promises to users. plane renders
// a split into a route and does with requests what the route says. Over the
// weights of a release the share of the users who reach the canary is that of
// the weight, exactly and by lot, whichever steps a user has missed; nobody goes
// back to stable; an abort takes everybody there, and the next release finds
// nobody bound.
func Users(t *testing.T, baseline int32, plane func(traffic.Split) Plane) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	u := &users{T: t, dice: rand.New(rand.NewPCG(seed, 0)), jars: make([]string, people), met: make([]bool, people)}
	weights := []int32{1, 5, 20, 50, 75}
	bound := math.Sqrt2 * math.Erfinv(1-alone/float64(2*len(weights)))
	for _, release := range []string{"7d9f-1", "7d9f-2"} {
		states := map[string]*big.Rat{"": big.NewRat(1, 1)}
		for jar := range u.known() {
			states[jar] = big.NewRat(1, 1)
		}
		for i, weight := range weights {
			s := traffic.Split{Baseline: min(baseline, 100-weight)}.At(weight)
			s.Sticky = &traffic.Sticky{Cookie: "sluice-version", Value: release, MaxAge: time.Hour, Draws: weights[:i]}
			serve := remembering(plane(s))
			states = u.exactly(s, serve, states)
			u.byLot(s, serve, bound)
		}
		u.aborted(plane(traffic.CanaryAt(0)))
	}
}

// remembering asks a plane once for each header: what it does has no memory.
func remembering(serve Plane) Plane {
	known := map[string][]Answer{}
	return func(cookies string) []Answer {
		if _, ok := known[cookies]; !ok {
			known[cookies] = serve(cookies)
		}
		return known[cookies]
	}
}

// users are simulated: what cookie each has, and whether each has met the canary.
type users struct {
	*testing.T
	dice *rand.Rand
	jars []string
	met  []bool
}

// known are the cookies that somebody has.
func (u *users) known() map[string]bool {
	all := map[string]bool{}
	for _, jar := range u.jars {
		all[jar] = true
	}
	return all
}

// exactly follows what a user may have been handed so far, with its
// probability: each of states is a way to have come here, by whichever steps a
// user was there for. Those who were there for none are always among them.
func (u *users) exactly(s traffic.Split, serve Plane, states map[string]*big.Rat) map[string]*big.Rat {
	u.Helper()
	next := map[string]*big.Rat{"": big.NewRat(1, 1)}
	reach := map[string]*big.Rat{}
	for jar := range states {
		next[jar] = big.NewRat(1, 1)
		reach[jar] = new(big.Rat)
		answers := serve(header(jar))
		total := new(big.Rat).SetInt64(whole(answers))
		for _, a := range answers {
			p := new(big.Rat).Quo(new(big.Rat).SetInt64(a.Part), total)
			if a.Slot == traffic.Canary {
				reach[jar].Add(reach[jar], p)
			}
			next[handed(u.T, a)] = big.NewRat(1, 1)
		}
	}
	share := big.NewRat(int64(s.Canary), 100)
	for jar, got := range reach {
		// Who was given to stable by weight d got there with 100 - d of 100, so
		// that d + (100 - d) * p is today's weight whatever d was.
		value := strings.TrimPrefix(jar, s.Sticky.Cookie+"=")
		from, drawn := strings.CutPrefix(value, s.Sticky.Value+"-")
		want := share
		switch {
		case value == s.Sticky.Value:
			want = big.NewRat(1, 1)
		case drawn:
			var d int64
			if _, err := fmt.Sscan(from, &d); err != nil {
				u.Fatalf("cookie %q names no weight: %v", jar, err)
			}
			want = big.NewRat(int64(s.Canary)-d, 100-d)
		}
		if got.Cmp(want) != 0 {
			u.Errorf("%v: a user with cookie %q reaches the canary with probability %s, want %s", s, jar, got, want)
		}
	}
	return next
}

// byLot has every third user or so miss a step, and counts the others.
func (u *users) byLot(s traffic.Split, serve Plane, bound float64) {
	u.Helper()
	came, canary := 0, 0
	for i := range u.jars {
		if u.dice.IntN(3) == 0 {
			continue
		}
		came++
		var a Answer
		for range 1 + u.dice.IntN(4) { // requests of one visit
			a = u.draw(serve(header(u.jars[i])))
			u.jars[i] = handed(u.T, a)
			if u.met[i] && a.Slot != traffic.Canary {
				u.Fatalf("%v: a user who had met the canary got %s", s, a.Slot)
			}
			u.met[i] = a.Slot == traffic.Canary
		}
		if u.met[i] {
			canary++
		}
	}
	p := float64(s.Canary) / 100
	if off, most := math.Abs(float64(canary)/float64(came)-p), bound*math.Sqrt(p*(1-p)/float64(came)); off > most {
		u.Errorf("%v: %d of %d users reach the canary, which is %.4f off its share; chance alone makes %.4f", s, canary, came, off, most)
	}
}

// aborted: whatever cookie somebody has, stable answers and hands out none.
func (u *users) aborted(serve Plane) {
	u.Helper()
	for jar := range u.known() {
		for _, a := range serve(header(jar)) {
			if a.Part > 0 && (a.Slot != traffic.Stable || a.SetCookie != "") {
				u.Errorf("after an abort a user with cookie %q gets %+v", jar, a)
			}
		}
	}
	clear(u.met)
}

func (u *users) draw(answers []Answer) Answer {
	n := u.dice.Int64N(whole(answers))
	for _, a := range answers {
		if n < a.Part {
			return a
		}
		n -= a.Part
	}
	u.Fatalf("nothing answers: %+v", answers)
	return Answer{}
}

func whole(answers []Answer) (sum int64) {
	for _, a := range answers {
		sum += a.Part
	}
	return sum
}

// header is what a browser sends that has a cookie of the application's too.
func header(jar string) string {
	if jar == "" {
		return "session=a1b2"
	}
	return "session=a1b2; " + jar + "; theme=dark"
}

// handed is the cookie that a browser keeps of an answer.
func handed(t *testing.T, a Answer) string {
	t.Helper()
	jar, attributes, _ := strings.Cut(a.SetCookie, ";")
	if a.SetCookie == "" || !strings.Contains(attributes, "Path=/") || !strings.Contains(attributes, "Max-Age=3600") {
		t.Fatalf("%s hands out %q, want a cookie for all paths and one hour", a.Slot, a.SetCookie)
	}
	return jar
}
