// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/sluice-dev/sluice/analysis/endpoint"
)

// explain says in words why there is no answer, and what to do.
func explain(s *endpoint.Server, err error) error {
	var answered *promv1.Error
	if !errors.As(err, &answered) {
		return s.Explain(err)
	}
	text := s.Quote(words(answered))
	switch answered.Type {
	case promv1.ErrBadData:
		return fmt.Errorf("%s refuses the query (%s); correct the metric's query, or its selectors", s.Name(), text)
	case promv1.ErrExec:
		return fmt.Errorf("%s can't evaluate the query (%s); correct the metric's query, or its selectors", s.Name(), text)
	case promv1.ErrTimeout, promv1.ErrCanceled:
		return fmt.Errorf("%s gave up on the query (%s); make it cheaper, such as with a recording rule", s.Name(), text)
	case promv1.ErrServer:
		return fmt.Errorf("%s fails to answer (%s)", s.Name(), text)
	case promv1.ErrClient:
		return fmt.Errorf("%s refuses the request (%s); check the address and who may ask", s.Name(), text)
	default:
		return fmt.Errorf("%s answers what can't be read (%s); check the address, and that the query gives a number", s.Name(), text)
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
