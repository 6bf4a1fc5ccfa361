// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-dev/sluice/analysis"
)

// maxWords is how much of the answer of a server that refuses us is read, in bytes.
const maxWords = 4096

// Server is one server to measure at. Use [Pool.Server].
type Server struct {
	kind    Kind
	url     *url.URL
	name    string
	key     string
	secrets []string
	client  *http.Client
	timeout time.Duration
}

// Name of the server for messages, such as "Prometheus at http://prometheus:9090".
func (s *Server) Name() string { return s.name }

// Key tells apart servers, and those who ask them by their credentials. It reveals neither.
func (s *Server) Key() string { return s.key }

// URL of the server, without a user.
func (s *Server) URL() *url.URL {
	u := *s.url
	return &u
}

// Timeout of one request.
func (s *Server) Timeout() time.Duration { return s.timeout }

// Client speaks to the server with the credentials, follows no redirect and
// takes no answer that is not JSON.
func (s *Server) Client() *http.Client { return s.client }

// guard adds credentials to requests, and turns away answers that no provider has a use for.
type guard struct {
	next   http.RoundTripper
	access analysis.Access
	limit  int64
}

// RoundTrip implements [http.RoundTripper].
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for _, h := range g.access.Headers {
		r.Header.Set(h.Name, h.Value)
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			r.Host = h.Value
		}
	}
	switch {
	case g.access.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+g.access.Bearer)
	case g.access.Username != "" || g.access.Password != "":
		r.SetBasicAuth(g.access.Username, g.access.Password)
	}
	answer, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = http.MaxBytesReader(nil, answer.Body, g.limit)
	if refusal := refused(answer); refusal != nil {
		return nil, refusal
	}
	return answer, nil
}

// refusal is an answer by somebody who is not the API we asked for.
type refusal struct {
	status int
	// elsewhere is where a redirect leads to.
	elsewhere string
	// page is set when a web page came instead of data.
	page  bool
	words string
}

// Error implements error.
func (r *refusal) Error() string {
	return fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
}

// refused reads an answer that is a refusal, and closes it.
func refused(answer *http.Response) *refusal {
	r := &refusal{status: answer.StatusCode}
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	r.page = err == nil && kind == "text/html"
	switch status := answer.StatusCode; {
	case status/100 == 2 && r.page, status/100 == 3:
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired, status == http.StatusNotFound:
	default:
		return nil
	}
	defer answer.Body.Close()
	if to, err := answer.Location(); err == nil {
		r.elsewhere = to.Scheme + "://" + to.Host + to.EscapedPath()
	}
	if !r.page {
		// What can't be read is not quoted.
		words, _ := io.ReadAll(io.LimitReader(answer.Body, maxWords))
		r.words = string(words)
	}
	return r
}
