// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package providertest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Reply is what a [Prometheus] answers with.
type Reply struct {
	// Status is the HTTP status. Default 200.
	Status int
	// Body of the answer.
	Body string
	// Hang withholds the answer until the one who asks gives up.
	Hang bool
}

// Values replies with one element for each value, written as Prometheus does: 0.5, NaN, +Inf.
func Values(values ...string) Reply {
	type sample struct {
		Metric map[string]string `json:"metric"`
		Value  [2]any            `json:"value"`
	}
	samples := []sample{}
	for i, v := range values {
		samples = append(samples, sample{map[string]string{"pod": "pod-" + strconv.Itoa(i)}, [2]any{1.5, v}})
	}
	body, err := json.Marshal(map[string]any{
		"status": "success",
		"data":   map[string]any{"resultType": "vector", "result": samples},
	})
	if err != nil {
		panic(err) // maps and strings always encode
	}
	return Reply{Body: string(body)}
}

// Refusal replies with an error of the API, such as bad_data or execution.
func Refusal(status int, kind, text string) Reply {
	return Reply{Status: status, Body: fmt.Sprintf(`{"status":"error","errorType":%q,"error":%q}`, kind, text)}
}

// Query is a request that a [Prometheus] got.
type Query struct {
	// Text of the query.
	Text string
	// At is the time that it was asked for.
	At time.Time
}

// Prometheus is a server that speaks as much of the HTTP API of Prometheus as
// instant queries need, and replies as told; it has no history. Use [NewPrometheus].
type Prometheus struct {
	// Address is its base URL. It stays the same while the server is down.
	Address string

	mu      sync.Mutex
	server  *httptest.Server
	reply   func(Query) Reply
	queries []Query
}

// NewPrometheus starts a server that ends with the test. Until told otherwise it has no data.
func NewPrometheus(t *testing.T) *Prometheus {
	t.Helper()
	p := &Prometheus{reply: func(Query) Reply { return Values() }}
	p.start(t, "127.0.0.1:0")
	p.Address = p.server.URL
	t.Cleanup(p.Down)
	return p
}

// Reply sets what to answer with from now on.
func (p *Prometheus) Reply(r Reply) { p.ReplyTo(func(Query) Reply { return r }) }

// ReplyTo sets how to find the answer from now on.
func (p *Prometheus) ReplyTo(f func(Query) Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = f
}

// Queries are the requests so far, in order.
func (p *Prometheus) Queries() []Query {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Query(nil), p.queries...)
}

// Down makes the server unreachable. Requests under way break off.
func (p *Prometheus) Down() {
	p.mu.Lock()
	server := p.server
	p.server = nil
	p.mu.Unlock()
	if server != nil {
		server.CloseClientConnections()
		server.Close()
	}
}

// Up makes the server reachable again where it was.
func (p *Prometheus) Up(t *testing.T) {
	t.Helper()
	p.start(t, p.Address[len("http://"):])
}

func (p *Prometheus) start(t *testing.T, address string) {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("listen for the test's Prometheus: %v", err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{
		Handler:           http.HandlerFunc(p.serve),
		ReadHeaderTimeout: 10 * time.Second,
	}}
	server.Start()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
}

func (p *Prometheus) serve(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseFloat(r.FormValue("time"), 64)
	if r.URL.Path == "/api/v1/query_range" { // no history
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[]}}`))
		return
	}
	if r.URL.Path != "/api/v1/query" || err != nil {
		http.NotFound(w, r)
		return
	}
	q := Query{Text: r.FormValue("query"), At: time.UnixMilli(int64(seconds * 1000))}
	p.mu.Lock()
	p.queries = append(p.queries, q)
	find := p.reply
	p.mu.Unlock()
	reply := find(q)
	if reply.Hang {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if reply.Status != 0 {
		w.WriteHeader(reply.Status)
	}
	_, _ = w.Write([]byte(reply.Body)) // a reader that went away is its own business
}
