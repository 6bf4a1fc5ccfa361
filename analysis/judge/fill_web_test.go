// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func webOf(address, body, header string) v1alpha1.Metric {
	w := &v1alpha1.Web{URL: address, Body: body, JSONPath: "{.v}"}
	if header != "" {
		w.Headers = []v1alpha1.Header{{Name: "X", Value: ptr.To(header)}}
	}
	return v1alpha1.Metric{Name: "m", Web: w, Threshold: &v1alpha1.Threshold{}}
}

// filling is a value that is filled in, and the metric or the error that it leads to.
type filling struct {
	reason, value string
	metric, want  v1alpha1.Metric
	err           string
}

func (f filling) check(t *testing.T, got v1alpha1.Metric, err error) {
	t.Helper()
	if f.err != "" {
		if err == nil || err.Error() != f.err {
			t.Errorf("%s: error %v, want %q", f.reason, err, f.err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", f.reason, err)
	}
	if diff := cmp.Diff(f.want, got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", f.reason, diff)
	}
}

func TestFillWeb(t *testing.T) {
	tests := map[string]filling{
		"host":            {"a Service is named by an argument", "shop", webOf("http://$(x).ns:80/", "", ""), webOf("http://shop.ns:80/", "", ""), ""},
		"host that leads": {"an argument can't lead to another host", "evil/", webOf("http://$(x).ns/", "", ""), v1alpha1.Metric{}, `metric "m": web.url: $(x): its value "evil/" can't be part of a host; use letters, digits, dots and dashes`},
		"user":            {"nor be a user", "evil@", webOf("http://$(x)ns/", "", ""), v1alpha1.Metric{}, `metric "m": web.url: $(x): its value "evil@" can't be part of a host; use letters, digits, dots and dashes`},
		"path":            {"a path keeps its parts", "a/../b?c", webOf("http://h/$(x)/s", "", ""), webOf("http://h/a%2F..%2Fb%3Fc/s", "", ""), ""},
		"path that leads": {"nor does it climb", "..", webOf("http://h/v1/$(x)/s", "", ""), v1alpha1.Metric{}, `metric "m": web.url: $(x): its value ".." leads to another path; use a name`},
		"parameter":       {"a parameter keeps its end", "a&b=c d", webOf("http://h/s?q=$(x)&r=1", "", ""), webOf("http://h/s?q=a%26b%3Dc+d&r=1", "", ""), ""},
		"no path":         {"a parameter may follow the host", "a&b", webOf("http://h?q=$(x)", "", ""), webOf("http://h?q=a%26b", "", ""), ""},
		"string in JSON":  {"a quote can't end the string", `a","b":"`, webOf("http://h", `{"q":"$(x)"}`, ""), webOf("http://h", `{"q":"a\",\"b\":\""}`, ""), ""},
		"number in JSON":  {"outside strings a number may stand", "5", webOf("http://h", `{"q":$(x)}`, ""), webOf("http://h", `{"q":5}`, ""), ""},
		"JSON in JSON":    {"but nothing that is more", `5,"r":6`, webOf("http://h", `{"q":$(x)}`, ""), v1alpha1.Metric{}, `metric "m": web.body: $(x): its value "5,\"r\":6" may stand between double quotes only; elsewhere use letters, digits, underscores, colons and dots`},
		"header":          {"a header takes text", "a b", webOf("http://h", "", "v $(x)"), webOf("http://h", "", "v a b"), ""},
		"two headers":     {"but not a second header", "a\r\nY: b", webOf("http://h", "", "$(x)"), v1alpha1.Metric{}, `metric "m": web.headers[X]: $(x): its value "a\r\nY: b" can't stand in a header; use printable ASCII characters`},
		"unknown":         {"a slip in a name", "", webOf("http://h/$(y)", "", ""), v1alpha1.Metric{}, `metric "m": web.url: $(y) is unknown; known are $(x)`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Fill(tc.metric, nil, []v1alpha1.ResolvedArg{{Name: "x", Value: tc.value}})
			tc.check(t, got, err)
		})
	}
}

// What comes from a Secret goes where nobody looks, and no error repeats it.
func TestFillSecret(t *testing.T) {
	args := []v1alpha1.ResolvedArg{{Name: "token", SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "vendor", Key: "t"}}}
	tests := map[string]filling{
		"header":     {"the usual place", "s3cr3t", webOf("http://h", "", "Key $(token)"), webOf("http://h", "", "Key s3cr3t"), ""},
		"body":       {"a body is shown nowhere", `s"3`, webOf("http://h", `{"key":"$(token)"}`, ""), webOf("http://h", `{"key":"s\"3"}`, ""), ""},
		"URL":        {"an address is shown", "s3cr3t", webOf("http://h/?key=$(token)", "", ""), v1alpha1.Metric{}, `metric "m": web.url: $(token) comes from a Secret, and this is shown to everybody who sees the run; give it as a value`},
		"query":      {"so is a query", "s3cr3t", v1alpha1.Metric{Name: "m", Threshold: &v1alpha1.Threshold{Query: `up{a="$(token)"}`}}, v1alpha1.Metric{}, `metric "m": threshold.query: $(token) comes from a Secret, and this is shown to everybody who sees the run; give it as a value`},
		"line break": {"a Secret often ends in one", "s3cr3t\n", webOf("http://h", "", "$(token)"), v1alpha1.Metric{}, `metric "m": web.headers[X]: $(token): the content of the Secret can't stand here; put it between double quotes, without line breaks in a header`},
		"not known":  {"what is not read yet is checked for its place", "", webOf("http://h", `{"key":$(token)}`, ""), webOf("http://h", `{"key":x}`, ""), ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FillSecret(tc.metric, nil, args, map[string]string{"token": tc.value})
			tc.check(t, got, err)
		})
	}
}

func TestSecretArgs(t *testing.T) {
	ref := func(name string) v1alpha1.ResolvedArg {
		return v1alpha1.ResolvedArg{Name: name, SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "s", Key: name}}
	}
	args := []v1alpha1.ResolvedArg{{Name: "a", Value: "v"}, ref("b"), ref("c")}
	for reason, tc := range map[string]struct {
		metric v1alpha1.Metric
		want   []v1alpha1.ResolvedArg
	}{
		"a web reads what it uses": {webOf("http://h", "$(a)", "$(c)"), []v1alpha1.ResolvedArg{ref("c")}},
		"a query reads none":       {v1alpha1.Metric{Threshold: &v1alpha1.Threshold{Query: "$(b)"}}, nil},
		"a Job is given all":       {v1alpha1.Metric{Job: &v1alpha1.JobMetric{}}, []v1alpha1.ResolvedArg{ref("b"), ref("c")}},
	} {
		if diff := cmp.Diff(tc.want, SecretArgs(tc.metric, args)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", reason, diff)
		}
	}
}

// FuzzFillWeb holds the promise that arguments are data in a URL and in a body.
func FuzzFillWeb(f *testing.F) {
	for _, v := range []string{"", "a", `"`, `\`, "\n", "/", "?", "#", "&", "=", "%", "@", "$(x)", "\x00", "é"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		args := []v1alpha1.ResolvedArg{{Name: "x", Value: value}}
		got, err := Fill(webOf("http://h/p/$(x)/s?q=$(x)&r=1", `{"q":"$(x)","r":1}`, ""), nil, args)
		if err != nil {
			t.Fatalf("value %q: %v", value, err)
		}
		u, err := url.Parse(got.Web.URL)
		if err != nil || u.Host != "h" || strings.Count(u.EscapedPath(), "/") != 3 || len(u.Query()) != 2 || u.Query().Get("q") != value || u.Query().Get("r") != "1" {
			t.Fatalf("value %q changes the URL: %s (%v)", value, got.Web.URL, err)
		}
		var body map[string]any
		if err := json.Unmarshal([]byte(got.Web.Body), &body); err != nil || len(body) != 2 || body["r"] != 1.0 {
			t.Fatalf("value %q changes the body: %s (%v)", value, got.Web.Body, err)
		}
	})
}
