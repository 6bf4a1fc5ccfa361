// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis"
)

const secret = "s3cr3t/pass"

var kind = Kind{Title: "Oracle", Field: "oracle", Example: "http://oracle:9090"}

func TestAccess(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r; reply(w, 200, "{}") }))
	defer server.Close()
	tests := map[string]struct {
		reason string
		target analysis.Target
		want   map[string]string
	}{
		"bearer": {
			reason: "a token is sent as such",
			target: analysis.Target{Address: server.URL, Access: analysis.Access{Bearer: secret}},
			want:   map[string]string{"Authorization": "Bearer " + secret},
		},
		"basic": {
			reason: "user and password are sent as HTTP says",
			target: analysis.Target{Address: server.URL, Access: analysis.Access{Username: "u", Password: "p"}},
			want:   map[string]string{"Authorization": "Basic dTpw"},
		},
		"in the address": {
			reason: "user and password may stand in the address",
			target: analysis.Target{Address: strings.Replace(server.URL, "//", "//u:p@", 1)},
			want:   map[string]string{"Authorization": "Basic dTpw"},
		},
		"headers": {
			reason: "headers are sent along",
			target: analysis.Target{Address: server.URL, Access: analysis.Access{Headers: []analysis.Header{{Name: "X-Scope-OrgID", Value: "team"}}}},
			want:   map[string]string{"X-Scope-OrgID": "team", "Authorization": ""},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if err := get(t, NewPool(kind, Options{}), tc.target); err != nil {
				t.Fatal(err)
			}
			for name, value := range tc.want {
				if got.Header.Get(name) != value {
					t.Errorf("%s: %s is %q, want %q", tc.reason, name, got.Header.Get(name), value)
				}
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	tests := map[string]struct {
		reason  string
		handler http.HandlerFunc
		target  func(*analysis.Target)
		limit   time.Duration // 10 s when not given
		want    string
	}{
		"web page": {
			reason:  "a login page is no API",
			handler: func(w http.ResponseWriter, _ *http.Request) { page(w, 200, "<html>"+secret) },
			want:    "Oracle at ADDRESS answers with a web page instead of JSON; check the address: what answers may be a login page or another program",
		},
		"redirect": {
			reason: "a redirect is not followed, and tells no more than where it leads",
			handler: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://u:x@login.test/auth?state="+secret, http.StatusFound)
			},
			want: "Oracle at ADDRESS sends us elsewhere (302 Found to https://login.test/auth), which is not followed; write the address that answers itself",
		},
		"unauthorized": {
			reason:  "the server's words are quoted without the secret that they repeat",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 401, "no\n entry for "+url.QueryEscape(secret)) },
			want:    "Oracle at ADDRESS refuses the request (401 Unauthorized: no entry for ***); check the credentials given in oracle, and that they may query",
		},
		"forbidden": {
			reason:  "a page is not quoted",
			handler: func(w http.ResponseWriter, _ *http.Request) { page(w, 403, "<html>") },
			want:    "Oracle at ADDRESS refuses the request (403 Forbidden); check the credentials given in oracle, and that they may query",
		},
		"not found": {
			reason:  "a wrong path is the address's fault",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 404, "404 page not found") },
			want:    "Oracle at ADDRESS has nothing at this address (404 Not Found: 404 page not found); check it, and the path before the API's own",
		},
		"huge": {
			reason:  "an answer without end is cut off",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, strings.Repeat(" ", 100_000)) },
			want:    "Oracle at ADDRESS answers with more than 65536 bytes; aggregate the query to one value, such as with sum(...)",
		},
		"slow": {
			reason:  "a request has a time limit",
			handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			limit:   300 * time.Millisecond,
			want:    "Oracle at ADDRESS does not answer (nothing came within 300ms)",
		},
		"not allowed": {
			reason:  "an address that is not on the list is not asked",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "{}") },
			target:  func(t *analysis.Target) { t.AllowedHosts = []string{"oracle:9090", "*.test"} },
			want: "HOST may not be asked: the controller's --analysis-allowed-hosts allows oracle:9090, *.test; " +
				"use one of these, or have the flag allow this one",
		},
		"not TLS": {
			reason:  "the wrong scheme is a common slip",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "{}") },
			target:  func(t *analysis.Target) { t.Address = strings.Replace(t.Address, "http:", "https:", 1) },
			want:    "Oracle at TLSADDRESS speaks no TLS; write http instead of https",
		},
		"no CA": {
			reason:  "what is no certificate is said before anybody is asked",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "{}") },
			target:  func(t *analysis.Target) { t.Access.TLS.CA = []byte(secret) },
			want:    "oracle.tls: the CA holds no certificate; give one or more in PEM, as in BEGIN CERTIFICATE",
		},
		"no key": {
			reason:  "so it is with a pair",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "{}") },
			target:  func(t *analysis.Target) { t.Access.TLS.Certificate = []byte(secret) },
			want:    "oracle.tls: certificate and key can't be used (tls: failed to find any PEM data in certificate input); give both in PEM, of the same pair",
		},
		"no URL": {
			reason:  "a bad address is not repeated, for it may hold a password",
			handler: func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "{}") },
			target:  func(t *analysis.Target) { t.Address = "user:" + secret + "@host:9090" },
			want:    "the address of Oracle is not an http or https URL; write it such as http://oracle:9090",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			if tc.limit == 0 {
				tc.limit = 10 * time.Second
			}
			target := analysis.Target{Address: server.URL, Access: analysis.Access{Bearer: secret}}
			if tc.target != nil {
				tc.target(&target)
			}
			err := get(t, NewPool(kind, Options{Timeout: tc.limit, MaxAnswer: 1 << 16}), target)
			got := "no error"
			if err != nil {
				got = strings.NewReplacer(server.URL, "ADDRESS", strings.Replace(server.URL, "http:", "https:", 1), "TLSADDRESS",
					server.URL[len("http://"):], "HOST").Replace(err.Error())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "{}") }))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{pair(t, ours)}, ClientCAs: pool(ours), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	connections := NewPool(kind, Options{})
	known := analysis.TLS{CA: ours.certificate, Certificate: ours.certificate, Key: ours.key}
	with := func(change func(*analysis.TLS)) analysis.TLS {
		changed := known
		change(&changed)
		return changed
	}
	// One pool serves all cases, so that each is a rotation of a Secret under way.
	tests := []struct {
		reason string
		tls    analysis.TLS
		want   string
	}{
		{"the CA is trusted, and the certificate is shown", known, ""},
		{
			"another CA is another trust, at once",
			with(func(t *analysis.TLS) { t.CA = theirs.certificate }),
			"is not trusted (x509: certificate signed by unknown authority",
		},
		{"back again", known, ""},
		{
			"another certificate is refused",
			with(func(t *analysis.TLS) { t.Certificate, t.Key = theirs.certificate, theirs.key }),
			"refuses to speak TLS with us (tls: certificate required); check certificate and key in oracle.tls",
		},
		{
			"the name on the certificate counts",
			with(func(t *analysis.TLS) { t.ServerName = "other.test" }),
			"is not trusted (x509: certificate is valid for ours.test, not other.test); give the authority",
		},
		{"nobody is checked if the user wants it so", with(func(t *analysis.TLS) { t.CA, t.SkipVerify = nil, true }), ""},
	}
	for _, tc := range tests {
		err := get(t, connections, analysis.Target{Address: server.URL, Access: analysis.Access{TLS: tc.tls}})
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: error %v, want %q", tc.reason, err, tc.want)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	asked, release := make(chan struct{}, 2*maxConnections), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-release
		reply(w, 200, "{}")
	}))
	defer server.Close()
	connections := NewPool(kind, Options{})
	target := analysis.Target{Address: server.URL}
	done := make(chan error)
	for range maxConnections {
		go func() { done <- get(t, connections, target) }()
	}
	for range maxConnections {
		<-asked
	}
	hasty, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := getWithin(hasty, connections, target); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("one request more than there are connections: error %v, want it to wait", err)
	}
	if len(asked) > 0 {
		t.Errorf("the server got more than %d requests at once", maxConnections)
	}
	close(release)
	for range maxConnections {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := get(t, connections, target); err != nil {
		t.Errorf("a request when connections are free: %v", err)
	}
}

func TestExplainIsStable(t *testing.T) {
	s, err := NewPool(kind, Options{}).Server(analysis.Target{Address: "https://user:" + secret[:6] + "@oracle.test/prefix?x=y"})
	if err != nil {
		t.Fatal(err)
	}
	local, remote := &net.TCPAddr{Port: 40123}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 9090}
	tests := map[string]struct {
		reason string
		err    error
		want   string
	}{
		"unknown host": {
			reason: "the DNS server does not matter",
			err:    &net.OpError{Op: "dial", Err: &net.DNSError{Name: "oracle.test", Server: "10.0.0.10:53", IsNotFound: true}},
			want:   "no such host: oracle.test",
		},
		"DNS down": {
			reason: "nor does the port that was asked from",
			err:    &net.OpError{Op: "dial", Err: &net.DNSError{Name: "oracle.test", Err: "read udp 10.0.0.1:40123->10.0.0.10:53: refused"}},
			want:   "looking up oracle.test failed",
		},
		"reset": {
			reason: "our own port changes with every attempt",
			err:    &url.Error{Op: "Post", URL: "x", Err: &net.OpError{Op: "read", Net: "tcp", Source: local, Addr: remote, Err: syscall.ECONNRESET}},
			want:   "read tcp 10.0.0.7:9090: connection reset by peer",
		},
		"cut off": {
			reason: "anything else speaks for itself, without the URL",
			err:    &url.Error{Op: "Post", URL: "https://" + secret, Err: io.ErrUnexpectedEOF},
			want:   "unexpected EOF",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			want := "Oracle at https://oracle.test/prefix does not answer (" + tc.want + ")"
			if diff := cmp.Diff(want, s.Explain(tc.err).Error()); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
	expired := &url.Error{Op: "Get", URL: "x", Err: &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "now is 12:00"}}}
	if got := s.Explain(expired).Error(); !strings.Contains(got, "is not trusted (its certificate has expired or is not valid yet)") {
		t.Errorf("the time of day shows in: %s", got)
	}
}

// get asks a target for anything, and says in words why there was no answer.
func get(t *testing.T, p *Pool, target analysis.Target) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), p.Timeout())
	defer cancel()
	return getWithin(ctx, p, target)
}

func getWithin(ctx context.Context, p *Pool, target analysis.Target) error {
	s, err := p.Server(target)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL().String(), http.NoBody)
	if err != nil {
		return err
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		return s.Explain(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); err != nil {
		return s.Explain(err)
	}
	return nil
}

func reply(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
