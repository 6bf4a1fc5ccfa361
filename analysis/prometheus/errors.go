// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// maxQuote is how much of a server's own words goes into a message, in characters.
const maxQuote = 300

// server is how one server is spoken of.
type server struct {
	// name for messages, without user and password.
	name string
	// secrets must not show.
	secrets []string
}

// explain says in words why there is no answer, and what to do.
func (s server) explain(err error, timeout time.Duration) error {
	var answered *promv1.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fmt.Errorf("%s answers with more than %d bytes; aggregate the query to one value, such as with sum(...)", s.name, large.Limit)
	case errors.As(err, &answered):
		return s.explainAnswer(answered)
	case isTimeout(err):
		return fmt.Errorf("%s does not answer (nothing came within %s)", s.name, timeout)
	}
	return fmt.Errorf("%s does not answer (%s)", s.name, s.quote(cause(err)))
}

// explainAnswer says what an error means that the server answered with.
func (s server) explainAnswer(err *promv1.Error) error {
	text := s.quote(words(err))
	switch err.Type {
	case promv1.ErrBadData:
		return fmt.Errorf("%s refuses the query (%s); correct threshold.query", s.name, text)
	case promv1.ErrExec:
		return fmt.Errorf("%s can't evaluate the query (%s); correct threshold.query", s.name, text)
	case promv1.ErrTimeout, promv1.ErrCanceled:
		return fmt.Errorf("%s gave up on the query (%s); make it cheaper, such as with a recording rule", s.name, text)
	case promv1.ErrServer:
		return fmt.Errorf("%s fails to answer (%s)", s.name, text)
	case promv1.ErrClient:
		return fmt.Errorf("%s refuses the request (%s); check the address and who may ask", s.name, text)
	default:
		return fmt.Errorf("%s answers what can't be read (%s); check the address, and that the query gives a number", s.name, text)
	}
}

// words are the server's own, if it gave any.
func words(err *promv1.Error) string {
	var body struct {
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal([]byte(err.Detail), &body) == nil && body.Error != "":
		return err.Msg + ": " + body.Error
	case err.Detail != "":
		return err.Msg + ": " + err.Detail
	}
	return err.Msg
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

// quote makes foreign text fit for a message: one line, bounded, without secrets.
func (s server) quote(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxQuote {
		text = string(runes[:maxQuote]) + "…"
	}
	return text
}

// secretsOf lists the forms in which a server may repeat a password to us.
func secretsOf(u *url.Userinfo) []string {
	password, ok := u.Password()
	if !ok || password == "" {
		return nil
	}
	return []string{
		base64.StdEncoding.EncodeToString([]byte(u.Username() + ":" + password)),
		url.QueryEscape(password), url.PathEscape(password), password,
	}
}
