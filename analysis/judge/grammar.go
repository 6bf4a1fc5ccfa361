// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// bare is what a value may consist of outside a string: names, numbers and
// durations, but nothing that could become an operator or end an expression.
var bare = regexp.MustCompile(`^[A-Za-z0-9_:.]+$`)

// hostlike is what a value may consist of in the host of a URL.
var hostlike = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// grammar knows where in a text one is, and how a value must be written there
// to mean itself.
type grammar interface {
	// step moves over the next character, or what belongs together, and returns its length.
	step(rest string) int
	// escape writes a value for the place that is reached.
	escape(value string) (string, error)
	// shown reports whether people see the text, so that nothing secret may stand in it.
	shown() bool
}

// inQuery is PromQL or LogQL. It holds the quote of the string around, # in a
// comment, 0 elsewhere.
type inQuery byte

func (*inQuery) shown() bool { return true }

func (p *inQuery) step(rest string) int {
	c := inQuery(rest[0])
	switch {
	case *p == 0:
		if strings.IndexByte("\"'`#", rest[0]) >= 0 {
			*p = c
		}
	case *p == '#':
		if c == '\n' {
			*p = 0
		}
	case c == '\\' && *p != '`' && len(rest) > 1:
		return 2
	case c == *p:
		*p = 0
	}
	return 1
}

func (p *inQuery) escape(value string) (string, error) {
	switch *p {
	case '"', '\'':
		quote := string(*p)
		return strings.NewReplacer(`\`, `\\`, "\n", `\n`, quote, `\`+quote).Replace(value), nil
	case '`':
		if strings.Contains(value, "`") {
			return "", fmt.Errorf("its value %q holds a backquote and can't stand between backquotes; use double quotes", value)
		}
		return value, nil
	default:
		if !bare.MatchString(value) {
			return "", fmt.Errorf("its value %q may stand between quotes only; elsewhere use letters, digits, underscores, colons and dots", value)
		}
		return value, nil
	}
}

// inURL is a URL. It counts its parts: scheme, host, path, query.
type inURL struct {
	slashes  int
	inParams bool
}

func (*inURL) shown() bool { return true }

func (p *inURL) step(rest string) int {
	switch rest[0] {
	case '/':
		p.slashes++
	case '?', '#':
		p.slashes, p.inParams = max(p.slashes, 3), true
	}
	return 1
}

func (p *inURL) escape(value string) (string, error) {
	switch {
	case p.inParams:
		return url.QueryEscape(value), nil
	case p.slashes > 2 && (value == "." || value == ".."):
		return "", fmt.Errorf("its value %q leads to another path; use a name", value)
	case p.slashes > 2:
		return url.PathEscape(value), nil
	case p.slashes == 2 && hostlike.MatchString(value):
		return value, nil
	}
	return "", fmt.Errorf("its value %q can't be part of a host; use letters, digits, dots and dashes", value)
}

// inBody is JSON. It is true within a string.
type inBody bool

func (*inBody) shown() bool { return false }

func (p *inBody) step(rest string) int {
	switch {
	case rest[0] == '\\' && bool(*p) && len(rest) > 1:
		return 2
	case rest[0] == '"':
		*p = !*p
	}
	return 1
}

func (p *inBody) escape(value string) (string, error) {
	if !*p {
		if !bare.MatchString(value) {
			return "", fmt.Errorf("its value %q may stand between double quotes only; elsewhere use letters, digits, underscores, colons and dots", value)
		}
		return value, nil
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		return "", errors.New("its value is no text")
	}
	return string(quoted[1 : len(quoted)-1]), nil
}

// inHeader is the value of an HTTP header.
type inHeader struct{}

func (inHeader) shown() bool { return false }

func (inHeader) step(string) int { return 1 }

func (inHeader) escape(value string) (string, error) {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
		return "", fmt.Errorf("its value %q can't stand in a header; use printable ASCII characters", value)
	}
	return value, nil
}
