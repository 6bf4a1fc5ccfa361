// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// kind is what a request is counted as.
type kind string

const (
	kindWrite kind = "write"
	kindEvent kind = "event" // writes of Event objects
	kindRead  kind = "read"  // get and list, of whatever came with it
	kindWatch kind = "watch"
	kindLease kind = "lease" // everything that leader election does
	kindOther kind = "other" // what the server can do: discovery, schemas
)

// request is one line of the audit log, as far as it matters.
type request struct {
	Stage      string    `json:"stage"`
	Verb       string    `json:"verb"`
	RequestURI string    `json:"requestURI"`
	UserAgent  string    `json:"userAgent"`
	Received   time.Time `json:"requestReceivedTimestamp"`
	Answered   time.Time `json:"stageTimestamp"`
	Object     *object   `json:"objectRef"`
	Response   *struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// object is what a request is about.
type object struct {
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
}

func (r request) kind() kind {
	switch {
	case r.Object == nil:
		return kindOther
	case r.Object.Resource == "leases":
		return kindLease
	case r.Verb == "watch":
		return kindWatch
	case r.Verb == "get" || r.Verb == "list":
		return kindRead
	case r.Object.Resource == "events":
		return kindEvent
	}
	return kindWrite
}

// words tell requests of the same sort from others: verb, resource and, unless
// all went well, the answer.
func (r request) words() string {
	what := r.RequestURI
	if r.Object != nil {
		what = r.Object.Resource
		if r.Object.Subresource != "" {
			what += "/" + r.Object.Subresource
		}
	}
	if r.Response != nil && r.Response.Code >= 400 {
		what += fmt.Sprintf(" (answered %d)", r.Response.Code)
	}
	return r.Verb + " " + what
}

// decides tells whether a request records what was decided: a write of a Rollout's status.
func (r request) decides() bool {
	return r.kind() == kindWrite && r.Object.Resource == "rollouts" && r.Object.Subresource == "status"
}

// steers tells whether a request writes a route.
func (r request) steers() bool {
	return r.kind() == kindWrite && r.Object.Resource == "httproutes" && r.Object.Subresource == ""
}

// slowestRoute gives the longest time from a decision, which is recorded before
// it is acted on, to the answer to the write of the route that it led to.
func slowestRoute(all []request) time.Duration {
	all = slices.SortedFunc(slices.Values(all), func(a, b request) int { return a.Received.Compare(b.Received) })
	var decided time.Time
	var slowest time.Duration
	for _, r := range all {
		switch {
		case r.decides():
			decided = r.Received
		case r.steers() && !decided.IsZero():
			slowest = max(slowest, r.Answered.Sub(decided))
		}
	}
	return slowest
}

// counted is every request of a kind, by words.
type counted map[kind]map[string]int

func (c counted) of(k kind) int {
	sum := 0
	for _, n := range c[k] {
		sum += n
	}
	return sum
}

// rows lists the requests of a kind, the most frequent first.
func (c counted) rows(k kind) []string {
	var words []string
	for w := range c[k] {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(c[k][b]-c[k][a], strings.Compare(a, b)) })
	for i, w := range words {
		words[i] = fmt.Sprintf("%3d %s", c[k][w], w)
	}
	return words
}

// span is a time in which requests are counted; the zero end is now.
type span struct{ from, to time.Time }

func (s span) holds(at time.Time) bool {
	return !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to))
}

// agentPrefix begins the user agent of everything that the controller asks.
const agentPrefix = "sluice/"

// count reads the controller's requests within a span from an audit log.
func count(path string, during span) (counted, error) {
	all, err := requests(path, during)
	if err != nil {
		return nil, err
	}
	c := counted{}
	for _, r := range all {
		if c[r.kind()] == nil {
			c[r.kind()] = map[string]int{}
		}
		c[r.kind()][r.words()]++
	}
	return c, nil
}

// requests lists the controller's requests within a span in the order of the log.
func requests(path string, during span) ([]request, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	var found []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // the last line may be half written
		}
		if strings.HasPrefix(r.UserAgent, agentPrefix) && during.holds(r.Received) && r.once() {
			found = append(found, r)
		}
	}
	return found, lines.Err()
}

// once picks one of the lines of a request: a watch is logged when it begins and
// again when it ends.
func (r request) once() bool {
	if r.Verb == "watch" {
		return r.Stage == "ResponseStarted"
	}
	return r.Stage == "ResponseComplete" || r.Stage == "Panic"
}
