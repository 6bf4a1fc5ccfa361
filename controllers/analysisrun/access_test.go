// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func fromSecret(name, key string) *v1alpha1.SecretSource {
	return &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: name, Key: key}}
}

// vault is a reader of Secrets that counts what it reads.
type vault struct {
	client.Client
	reads int
}

func newVault(t *testing.T, fault error, all ...*corev1.Secret) *vault {
	t.Helper()
	s := runtime.NewScheme()
	if err := corev1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	v := &vault{}
	b := fake.NewClientBuilder().WithScheme(s).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			v.reads++
			if fault != nil {
				return fault
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	for _, o := range all {
		b = b.WithObjects(o)
	}
	v.Client = b.Build()
	return v
}

func secretOf(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: name}, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func TestAccessIsResolved(t *testing.T) {
	tenant := "shop"
	v := newVault(t, nil, secretOf("prom", map[string]string{
		"token": "t0ken\n", "password": "pa55\r\n", "scope": "sc0pe", "ca.crt": "CA", "tls.crt": "CRT", "tls.key": "KEY",
	}))
	read := secrets{from: v, namespace: key.Namespace, seen: map[string]*corev1.Secret{}}
	got, err := read.access(t.Context(), "spec.prometheus", v1alpha1.Access{
		Bearer:  fromSecret("prom", "token"),
		Basic:   &v1alpha1.BasicAuth{Username: "u", Password: *fromSecret("prom", "password")},
		Headers: []v1alpha1.Header{{Name: "X-Tenant", Value: &tenant}, {Name: "X-Scope", ValueFrom: fromSecret("prom", "scope")}},
		TLS: &v1alpha1.TLSAccess{
			CA: fromSecret("prom", "ca.crt"), Certificate: fromSecret("prom", "tls.crt"), Key: fromSecret("prom", "tls.key"), ServerName: "prom.test",
		},
	})
	if err != nil || read.obstacle != "" {
		t.Fatalf("error %v, obstacle %q", err, read.obstacle)
	}
	want := analysis.Access{
		Bearer: "t0ken", Username: "u", Password: "pa55",
		Headers: []analysis.Header{{Name: "X-Tenant", Value: "shop"}, {Name: "X-Scope", Value: "sc0pe", Secret: true}},
		TLS:     analysis.TLS{CA: []byte("CA"), Certificate: []byte("CRT"), Key: []byte("KEY"), ServerName: "prom.test"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if v.reads != 1 {
		t.Errorf("the Secret was read %d times, want once", v.reads)
	}
}

func TestAccessThatCannotBeHad(t *testing.T) {
	resource := schema.GroupResource{Resource: "secrets"}
	tests := map[string]struct {
		reason string
		fault  error
		secret *corev1.Secret
		want   string
	}{
		"no Secret": {
			reason: "a Secret that is missing is named", secret: secretOf("other", nil),
			want: "spec.prometheus.bearer: there is no Secret prom in namespace shop; create it, or correct the name",
		},
		"no key": {
			reason: "so is a key", secret: secretOf("prom", map[string]string{"tokn": "x"}),
			want: `spec.prometheus.bearer: Secret prom in namespace shop has nothing under key "token"; add it, or correct the key`,
		},
		"empty": {
			reason: "an empty token is none", secret: secretOf("prom", map[string]string{"token": ""}),
			want: `spec.prometheus.bearer: Secret prom in namespace shop has nothing under key "token"; add it, or correct the key`,
		},
		"line break": {
			reason: "one at the end is left out, one within is a slip", secret: secretOf("prom", map[string]string{"token": "a\nb\n"}),
			want: `spec.prometheus.bearer: Secret prom in namespace shop has under key "token" what can't stand in a header; write it on one line, as plain text`,
		},
		"nothing but a line break": {
			reason: "an empty token is none", secret: secretOf("prom", map[string]string{"token": "\n"}),
			want: `spec.prometheus.bearer: Secret prom in namespace shop has nothing under key "token"; add it, or correct the key`,
		},
		"forbidden": {
			reason: "who must allow it is said", secret: secretOf("prom", nil), fault: apierrors.NewForbidden(resource, "prom", nil),
			want: "spec.prometheus.bearer: Secret prom in namespace shop may not be read; bind ClusterRole sluice-config to the controller's ServiceAccount there",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(run *v1alpha1.AnalysisRun) { run.Spec.Prometheus.Bearer = fromSecret("prom", "token") })
			b.restart(Options{Secrets: newVault(t, tc.fault, tc.secret)})
			st := b.passes(3)
			if st.Phase != v1alpha1.AnalysisError || st.Message != tc.want || st.CompletedAt != nil {
				t.Errorf("%s: %s: %q, completed %v; want Error: %q", tc.reason, st.Phase, st.Message, st.CompletedAt, tc.want)
			}
			if n := len(b.server.Queries()); n != 0 {
				t.Errorf("%s: the server was asked %d times without credentials", tc.reason, n)
			}
		})
	}
}

// A Secret that changes counts from the next measurement on, and shows nowhere.
func TestSecretsRotate(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte("no entry with " + r.Header.Get("Authorization")))
	}))
	defer server.Close()
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.Prometheus = &v1alpha1.Prometheus{Address: server.URL, Access: v1alpha1.Access{Bearer: fromSecret("prom", "token")}}
	})
	v := newVault(t, nil, secretOf("prom", map[string]string{"token": "first-token"}))
	b.restart(Options{Secrets: v})
	b.passes(2)
	if err := v.Update(t.Context(), secretOf("prom", map[string]string{"token": "second-token"})); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(10 * time.Second)
	st := b.passes(1)
	mu.Lock()
	defer mu.Unlock()
	if len(got) < 2 || got[0] != "Bearer first-token" || got[len(got)-1] != "Bearer second-token" {
		t.Errorf("sent %q, want the first token and then the second", got)
	}
	for _, m := range st.Metrics {
		if strings.Contains(m.Message, "-token") || !strings.Contains(m.Message, "no entry with Bearer ***") {
			t.Errorf("message %q, want the server's words without the token", m.Message)
		}
	}
}
