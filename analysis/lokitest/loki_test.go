// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build loki

package lokitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/loki"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// settings of a Loki that keeps everything in a folder and in memory.
const settings = `
auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: HTTP, grpc_listen_address: 127.0.0.1, grpc_listen_port: GRPC, log_level: error}
common:
  instance_addr: 127.0.0.1
  path_prefix: FOLDER
  replication_factor: 1
  storage: {filesystem: {chunks_directory: FOLDER/chunks, rules_directory: FOLDER/rules}}
  ring: {kvstore: {store: inmemory}}
memberlist: {bind_addr: [127.0.0.1], bind_port: GOSSIP}
schema_config:
  configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
analytics: {reporting_enabled: false}
limits_config: {reject_old_samples: false}
`

// start builds Loki and runs it until the test ends.
func start(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	program := filepath.Join(folder, "loki")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/grafana/loki/v3/cmd/loki")
	build.Dir = "server"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build Loki: %v\n%s", err, out)
	}
	http := freePort(t)
	text := strings.NewReplacer("HTTP", http, "GRPC", freePort(t), "GOSSIP", freePort(t), "FOLDER", folder).Replace(settings)
	file := filepath.Join(folder, "loki.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	process := exec.Command(program, "-config.file="+file)
	process.Stdout, process.Stderr = &said, &said
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait() // it was told to end
		if t.Failed() {
			t.Log(said.String())
		}
	})
	address := "http://127.0.0.1:" + http
	poll(t, 90*time.Second, "Loki to be ready", func() bool { return get(address + "/ready") })
	return address
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func get(address string) bool {
	answer, err := http.Get(address)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func poll(t *testing.T, most time.Duration, what string, done func() bool) {
	t.Helper()
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	end := time.After(most)
	for !done() {
		select {
		case <-every.C:
		case <-end:
			t.Fatalf("waited %s for %s", most, what)
		}
	}
}

// push sends lines of a stream, one at each time.
func push(t *testing.T, address string, labels map[string]string, line string, at ...time.Time) {
	t.Helper()
	values := make([][2]string, 0, len(at))
	for i, a := range at {
		values = append(values, [2]string{strconv.FormatInt(a.UnixNano(), 10), fmt.Sprintf("%s %d", line, i)})
	}
	body, err := json.Marshal(map[string]any{"streams": []any{map[string]any{"stream": labels, "values": values}}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(address+"/loki/api/v1/push", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("push: %s", answer.Status)
	}
}

// TestRealLoki: lines are counted whole, those of adjoining blocks add up, and
// what is no count is said in words.
func TestRealLoki(t *testing.T) {
	address := start(t)
	target, p := analysis.Target{Address: address}, loki.New(loki.Options{})
	begin := time.Now().Add(-2 * time.Minute).Truncate(10 * time.Second)
	spread := func(n int, from time.Time) (all []time.Time) {
		for i := range n { // after the edge, which still belongs to the block before
			all = append(all, from.Add(time.Millisecond+time.Duration(i)*10*time.Second/time.Duration(n)))
		}
		return all
	}
	canary, stable := map[string]string{"app": "shop", "track": "canary"}, map[string]string{"app": "shop", "track": "stable"}
	push(t, address, canary, "level=info request", append(spread(40, begin), spread(30, begin.Add(10*time.Second))...)...)
	push(t, address, canary, "level=error request", spread(2, begin.Add(time.Second))...)
	push(t, address, stable, "level=info request", spread(360, begin)...)
	arm := func(name string) analysis.Series {
		lines := fmt.Sprintf(`{app="shop",track=%q}`, name)
		return analysis.Series{Total: lines, Bad: lines + ` |= "level=error"`}
	}
	c := analysis.Counted{Canary: arm("canary"), Stable: arm("stable"), Block: 10 * time.Second, History: true, Begin: begin.Add(20 * time.Second)}
	if err := p.Check(c); err != nil {
		t.Fatal(err)
	}
	l, ok, err := p.Learn(t.Context(), target, c, begin)
	if err != nil || !ok || len(l.History) == 0 {
		t.Fatalf("learned %+v, %v, %v; want stable's history", l, ok, err)
	}
	type row struct{ EC, NC, ES, NS string }
	for end, want := range map[time.Duration]row{
		10 * time.Second: {"2", "42", "", "360"},
		20 * time.Second: {"", "30", "", ""},
		30 * time.Second: {},
	} {
		b, err := p.Count(t.Context(), target, c, l, begin.Add(end))
		if err != nil {
			t.Fatal(err)
		}
		got := row{b.Canary.Bad[0].String(), b.Canary.Total.String(), b.Stable.Bad[0].String(), b.Stable.Total.String()}
		if got != want {
			t.Errorf("the block that ends after %s: %+v, want %+v", end, got, want)
		}
	}
	for query, want := range map[string]string{
		`{app="shop"}`:                               "refuses the query (log queries are not supported",
		`sum(count_over_time({app="shop"}[1m])`:      "refuses the query (parse error",
		`count_over_time({app="shop"}[1m])`:          "values where one is needed",
		`sum(count_over_time({app="nobody"}[1m]))`:   "the query gives nothing: no log line matches",
		`sum(count_over_time({app="shop"}[1m])) / 0`: "the query gives NaN",
	} {
		m := v1alpha1.Metric{Name: "m", Threshold: &v1alpha1.Threshold{Query: query}}
		x, err := p.Measure(t.Context(), target, m, begin.Add(30*time.Second))
		said := x.Message
		if err != nil {
			said = err.Error()
		}
		if x.Value != "" || !strings.Contains(said, want) {
			t.Errorf("%s: value %q, %q; want none, and %q", query, x.Value, said, want)
		}
	}
}
