// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is the controller as a program of its own.
type process struct {
	cmd     *exec.Cmd
	done    chan struct{}
	log     string
	metrics string // URL
}

// startController runs the binary with a kubeconfig. Its log goes to a file in dir.
func startController(ctx context.Context, binary, kubeconfig, dir string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &process{log: filepath.Join(dir, "sluice.log"), metrics: "http://" + address + "/metrics", done: make(chan struct{})}
	file, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("making the controller's log: %w", err)
	}
	defer func() { _ = file.Close() }() // the process has its own copy
	p.cmd = exec.CommandContext(ctx, binary, "--metrics-bind-address="+address, "--health-probe-bind-address=127.0.0.1:0",
		"--leader-election-namespace="+namespace)
	p.cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 15 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the controller: %w (make build makes it)", err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// alive fails once the controller has ended.
func (p *process) alive() error {
	select {
	case <-p.done:
		text, err := os.ReadFile(p.log)
		return errors.Join(fmt.Errorf("the controller ended; its log:\n%s", text), err)
	default:
		return nil
	}
}

// footprint is what the controller takes of the machine.
type footprint struct {
	// RSS and Peak are VmRSS and VmHWM, PSS shares out what is shared, Heap is what Go's
	// heap spans hold; all in bytes. 0 means that this system does not tell.
	RSS, Peak, PSS, Heap int64
	// CPU is the processor time used so far.
	CPU time.Duration
}

func (p *process) footprint(ctx context.Context) (footprint, error) {
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	status, err := fields(filepath.Join(dir, "status"))
	if err != nil {
		return footprint{}, fmt.Errorf("reading the controller's memory (which takes Linux): %w", err)
	}
	shared, err := fields(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return footprint{}, fmt.Errorf("reading the controller's memory: %w", err)
	}
	gauges, err := p.gauges(ctx)
	if err != nil {
		return footprint{}, err
	}
	return footprint{
		RSS: status["VmRSS"], Peak: status["VmHWM"], PSS: shared["Pss"], Heap: int64(gauges["go_memstats_heap_inuse_bytes"]),
		CPU: time.Duration(gauges["process_cpu_seconds_total"] * float64(time.Second)),
	}, nil
}

// fields reads lines such as "VmRSS: 1234 kB" of a file of the kernel's, as bytes.
func fields(path string) (map[string]int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		number, unit, _ := strings.Cut(strings.TrimSpace(value), " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && unit == "kB" {
			found[name] = n << 10
		}
	}
	return found, nil
}

// gauges reads the metrics without labels.
func (p *process) gauges(ctx context.Context) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.metrics, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	found := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(response.Body, 16<<20))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = n
		}
	}
	return found, lines.Err()
}

// freeAddress finds a port that nobody listens on just now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
