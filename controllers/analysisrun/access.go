// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// secrets reads the Secrets of one namespace, each once.
type secrets struct {
	from      client.Reader
	namespace string
	seen      map[string]*corev1.Secret
	// obstacle is the first value that could not be had, and the remedy.
	obstacle string
}

// access resolves what a spec says. Field is where it says it.
func (s *secrets) access(ctx context.Context, field string, a v1alpha1.Access) (analysis.Access, error) {
	var out analysis.Access
	var err error
	text := func(name string, source *v1alpha1.SecretSource) string {
		if source == nil || err != nil {
			return ""
		}
		var value string
		value, err = s.value(ctx, field+"."+name, source.SecretKeyRef)
		return value
	}
	inHeader := func(name string, source *v1alpha1.SecretSource) string {
		value := text(name, source)
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			s.miss("%s: Secret %s in namespace %s has under key %q what can't stand in a header; write it on one line, as plain text", field+"."+name, source.SecretKeyRef.Name, s.namespace, source.SecretKeyRef.Key)
		}
		return value
	}
	out.Bearer = inHeader("bearer", a.Bearer)
	if a.Basic != nil {
		out.Username, out.Password = a.Basic.Username, text("basic.password", &a.Basic.Password)
	}
	for _, h := range a.Headers {
		if h.Value != nil {
			out.Headers = append(out.Headers, analysis.Header{Name: h.Name, Value: *h.Value})
			continue
		}
		out.Headers = append(out.Headers, analysis.Header{Name: h.Name, Value: inHeader("headers["+h.Name+"]", h.ValueFrom), Secret: true})
	}
	if t := a.TLS; t != nil {
		out.TLS = analysis.TLS{
			CA: []byte(text("tls.ca", t.CA)), Certificate: []byte(text("tls.certificate", t.Certificate)), Key: []byte(text("tls.key", t.Key)),
			ServerName: t.ServerName, SkipVerify: t.InsecureSkipVerify,
		}
	}
	return out, err
}

// arguments reads those from Secrets, by their names.
func (s *secrets) arguments(ctx context.Context, args []v1alpha1.ResolvedArg) (map[string]string, error) {
	contents := make(map[string]string, len(args))
	for _, a := range args {
		value, err := s.value(ctx, "spec.args["+a.Name+"]", *a.SecretKeyRef)
		if err != nil {
			return nil, err
		}
		contents[a.Name] = value
	}
	return contents, nil
}

// value reads one key, without the line break that files and echo end with. What can't be had for a reason that somebody must mend is
// an obstacle; the error is for all else.
func (s *secrets) value(ctx context.Context, field string, ref v1alpha1.SecretKeyRef) (string, error) {
	secret, known := s.seen[ref.Name]
	if !known {
		secret = &corev1.Secret{}
		err := s.from.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: ref.Name}, secret)
		switch {
		case apierrors.IsNotFound(err):
			s.miss("%s: there is no Secret %s in namespace %s; create it, or correct the name", field, ref.Name, s.namespace)
			return "", nil
		case apierrors.IsForbidden(err):
			s.miss("%s: Secret %s in namespace %s may not be read; bind ClusterRole sluice-config to the controller's ServiceAccount there", field, ref.Name, s.namespace)
			return "", nil
		case err != nil:
			return "", fmt.Errorf("read Secret %s: %w", ref.Name, err)
		}
		s.seen[ref.Name] = secret
	}
	value := strings.TrimRight(string(secret.Data[ref.Key]), "\r\n")
	if value == "" {
		s.miss("%s: Secret %s in namespace %s has nothing under key %q; add it, or correct the key", field, ref.Name, s.namespace, ref.Key)
	}
	return value, nil
}

func (s *secrets) miss(format string, args ...any) {
	if s.obstacle == "" {
		s.obstacle = fmt.Sprintf(format, args...)
	}
}
