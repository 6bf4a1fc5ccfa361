// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"
)

const (
	// VersionHeader of a response names the version that answered.
	VersionHeader = "X-Version"
	// FaultHeader marks a response that its version failed on purpose.
	FaultHeader = "X-Injected-Fault"
	// RepeatedHeader of a response says how often its request was made anew before it was sent anywhere.
	RepeatedHeader = "X-Repeated"
	// maxBody is the most that is read of a response.
	maxBody = 64 << 10
)

// Body is the answer of the service under load.
type Body struct {
	// Service is its name.
	Service string `json:"service"`
	// Version that answers; the same as in [VersionHeader].
	Version string `json:"version"`
	// OK is false in an injected fault.
	OK bool `json:"ok"`
}

// request sends one request and judges its response.
func (g *Generator) request(ctx context.Context) Record {
	r := Record{At: time.Now()}
	status, header, body, err := g.exchange(ctx)
	r.Took = time.Since(r.At)
	r.Status = status
	if err != nil {
		r.Outcome, r.Reason = Failed, err.Error()
		return r
	}
	r.Repeated = header.Get(RepeatedHeader) != ""
	r.Version = header.Get(VersionHeader)
	r.Outcome, r.Reason = judge(status, header, body)
	return r
}

func (g *Generator) exchange(ctx context.Context) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.options.URL, http.NoBody)
	if err != nil {
		return 0, nil, nil, err
	}
	maps.Copy(req.Header, g.options.Header)
	if g.options.Host != "" {
		req.Host = g.options.Host
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return resp.StatusCode, resp.Header, nil, fmt.Errorf("read the body: %w", err)
	}
	return resp.StatusCode, resp.Header, body, nil
}

// judge tells what was asked for from what the version did on purpose, and both from a failure.
func judge(status int, header http.Header, raw []byte) (Outcome, string) {
	injected := header.Get(FaultHeader) != ""
	if status != http.StatusOK && !injected {
		return Failed, fmt.Sprintf("status %d: %.200q", status, raw)
	}
	var body Body
	if err := json.Unmarshal(raw, &body); err != nil {
		return Failed, fmt.Sprintf("status %d with a body that is not the shop's: %.200q", status, raw)
	}
	if body.Version == "" || body.Version != header.Get(VersionHeader) {
		return Failed, fmt.Sprintf("the body is of version %q, the header of %q", body.Version, header.Get(VersionHeader))
	}
	if body.OK == injected {
		return Failed, fmt.Sprintf("ok is %v in a response with injected fault %v", body.OK, injected)
	}
	if injected {
		return InjectedFault, ""
	}
	return OK, ""
}
