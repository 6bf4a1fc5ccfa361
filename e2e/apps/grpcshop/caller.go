// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds" // understands targets that begin with xds
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-dev/sluice/e2e/apps/app"
	"github.com/sluice-dev/sluice/e2e/load"
)

// caller makes a call of each HTTP request and an HTTP response of each answer.
type caller struct {
	conn    *grpc.ClientConn
	timeout time.Duration
}

func call(ctx context.Context, s callerSettings) error {
	l, err := app.Listen(ctx, s.listen)
	if err != nil {
		return err
	}
	c, err := newCaller(s)
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }()
	return app.Serve(ctx, c, func(context.Context) {}, l)
}

func newCaller(s callerSettings) (*caller, error) {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if s.authority != "" {
		options = append(options, grpc.WithAuthority(s.authority))
	}
	conn, err := grpc.NewClient(s.target, options...)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", s.target, err)
	}
	conn.Connect()
	return &caller{conn: conn, timeout: s.timeout}, nil
}

// ServeHTTP implements [http.Handler]. Headers that begin with X- become the
// call's metadata. A failure of the call that nobody made on purpose is a 502,
// so that the load generator counts it as one.
func (c *caller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), c.timeout)
	defer cancel()
	out := metadata.MD{}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-") {
			out.Set(name, values...)
		}
	}
	ctx = metadata.NewOutgoingContext(ctx, out)
	header, trailer, answer, err := c.ask(ctx, w.Header())
	version, injected := first(metadata.Join(header, trailer), versionKey), first(trailer, faultKey) != ""
	switch {
	case err == nil && answer.GetValue() == version:
		respond(w, http.StatusOK, version)
	case err == nil:
		http.Error(w, fmt.Sprintf("the answer is of version %q, its header of %q", answer.GetValue(), version), http.StatusBadGateway)
	case injected:
		w.Header().Set(load.FaultHeader, "1")
		respond(w, http.StatusInternalServerError, version)
	default:
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// unpicked is what a channel over xDS says when a route has just begun to name a
// cluster that the channel's own balancer does not know yet. Nothing was sent.
const unpicked = "unknown cluster selected for RPC"

// repeatMost bounds how often such a call is made again.
const repeatMost = 5

// ask makes one call. One that the channel gave up before it was sent, by a race
// of its own, is made again, and the response says how often.
func (c *caller) ask(ctx context.Context, out http.Header) (header, trailer metadata.MD, answer *wrapperspb.StringValue, err error) {
	for repeated := 0; ; repeated++ {
		answer = &wrapperspb.StringValue{}
		err = c.conn.Invoke(ctx, fullMethod, &emptypb.Empty{}, answer, grpc.Header(&header), grpc.Trailer(&trailer))
		if repeated > 0 {
			out.Set(load.RepeatedHeader, strconv.Itoa(repeated))
		}
		if err == nil || repeated == repeatMost || !strings.Contains(status.Convert(err).Message(), unpicked) || !app.Sleep(ctx, 10*time.Millisecond) {
			return header, trailer, answer, err
		}
	}
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// respond gives the response that the load generator knows from the shop that speaks HTTP.
func respond(w http.ResponseWriter, code int, version string) {
	body, err := json.Marshal(load.Body{Service: "grpcshop", Version: version, OK: code == http.StatusOK})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set(load.VersionHeader, version)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}
