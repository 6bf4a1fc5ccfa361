// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/analysis"
)

// maxQuote is how much of a server's own words goes into a message, in characters.
const maxQuote = 300

// Explain says in words why there is no answer, and what to do.
func (s *Server) Explain(err error) error {
	var large *http.MaxBytesError
	var no *refusal
	switch {
	case errors.As(err, &large):
		return fmt.Errorf("%s answers with more than %d bytes; %s", s.name, large.Limit, s.kind.Smaller)
	case errors.As(err, &no):
		return s.explainRefusal(no)
	case isTimeout(err):
		return fmt.Errorf("%s does not answer (nothing came within %s)", s.name, s.timeout)
	}
	if words := s.explainTLS(err); words != nil {
		return words
	}
	return fmt.Errorf("%s does not answer (%s)", s.name, s.Quote(cause(err)))
}

// explainRefusal says what it means that somebody else than the API answered.
func (s *Server) explainRefusal(r *refusal) error {
	why := r.Error()
	if words := s.Quote(r.words); words != "" {
		why += ": " + words
	}
	switch {
	case r.status/100 == 3 && r.elsewhere != "":
		return fmt.Errorf("%s sends us elsewhere (%s to %s), which is not followed; write the address that answers itself",
			s.name, r.Error(), s.Quote(r.elsewhere))
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden, r.status == http.StatusProxyAuthRequired:
		return fmt.Errorf("%s refuses the request (%s); check the credentials given in %s, and that they may query",
			s.name, why, s.kind.Field)
	case r.status == http.StatusNotFound:
		return fmt.Errorf("%s has nothing at this address (%s); check it, and the path before the API's own", s.name, why)
	case r.page:
		return fmt.Errorf("%s answers with a web page instead of JSON; check the address: what answers may be a login page or another program",
			s.name)
	}
	return fmt.Errorf("%s answers what can't be read (%s); check the address", s.name, why)
}

// explainTLS says why no trust came about, if that is what failed.
func (s *Server) explainTLS(err error) error {
	var untrusted *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s speaks no TLS; write http instead of https", s.name)
	case errors.As(err, &untrusted):
		return fmt.Errorf("%s is not trusted (%s); give the authority of its certificate as the CA in %s.tls, and check the address's host",
			s.name, s.Quote(distrust(untrusted.Err)), s.kind.Field)
	case errors.As(err, &op) && op.Op == "remote error":
		return fmt.Errorf("%s refuses to speak TLS with us (%s); check certificate and key in %s.tls", s.name, s.Quote(op.Err.Error()), s.kind.Field)
	}
	return nil
}

// distrust is why a certificate is not trusted, without the time of day.
func distrust(err error) string {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "its certificate has expired or is not valid yet"
	}
	return err.Error()
}

// Quote makes foreign text fit for a message: one line, bounded, without secrets.
func (s *Server) Quote(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxQuote {
		text = string(runes[:maxQuote]) + "…"
	}
	return text
}

// Partial says that a server warns of its own answer.
func (s *Server) Partial(warnings string) string {
	return fmt.Sprintf("%s warns that its answer may be incomplete (%s); mend the server or the query until it no longer warns",
		s.name, s.Quote(warnings))
}

// Interrupted says that whoever asked did not wait for the answer.
func (s *Server) Interrupted(err error) error {
	return fmt.Errorf("%s was not waited for: %w", s.name, err)
}

// forms lists the forms in which a server may repeat a secret to us, longest
// first so that no form hides part of another.
func forms(a analysis.Access) []string {
	var all []string
	for _, secret := range a.Secrets() {
		all = append(all, secret, url.QueryEscape(secret), url.PathEscape(secret))
	}
	if a.Password != "" {
		all = append(all, base64.StdEncoding.EncodeToString([]byte(a.Username+":"+a.Password)))
	}
	slices.SortFunc(all, func(x, y string) int {
		return cmp.Or(cmp.Compare(len(y), len(x)), strings.Compare(x, y))
	})
	return slices.Compact(all)
}

func isTimeout(err error) bool {
	var slow net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
}

// cause is the part of an error of the network that stays equal while the
// cause does: ports of our own end and the addresses of DNS servers change.
func cause(err error) string {
	var lookup *net.DNSError
	var op *net.OpError
	var asked *url.Error
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "no such host: " + lookup.Name
	case errors.As(err, &lookup):
		return "looking up " + lookup.Name + " failed"
	case errors.As(err, &op) && op.Addr != nil:
		return fmt.Sprintf("%s %s %s: %v", op.Op, op.Net, op.Addr, op.Err)
	case errors.As(err, &asked):
		return asked.Err.Error()
	}
	return err.Error()
}
