// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// verdictJSON is what -o json prints.
type verdictJSON struct {
	Verdict        string
	DecidedAtBlock int
	Metrics        map[string]struct{ Fail, Pass []float64 }
}

// backtestRun runs the verb without any cluster.
func backtestRun(t *testing.T, args ...string) *run {
	t.Helper()
	return start(t, filepath.Join(t.TempDir(), "none"), append([]string{"backtest"}, args...)...).end(t)
}

// countsFile puts a text into a file.
func countsFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// goldenCase is a golden sequence as the file of counts that leads to it.
type goldenCase struct {
	Name       string
	Blocks     [][]float64
	Rho, Delta float64
	Phi        float64
	Values     []float64
	FirstCross int
	Grid       []float64
}

// file is the case for --data; ok is false if no objective leads to its limit.
func (g goldenCase) file() (text string, ok bool) {
	objectives := map[[2]float64]string{
		{1.5, 0.0005}: `"objective": 0.999`,
		{0, 0.002}:    `"objective": 0.999, "nextWeight": 1`,
		{0, 0.008}:    `"objective": 0.999, "nextWeight": 0.25`,
		{0, 0.02}:     `"objective": 0.99`,
	}
	objective, ok := objectives[[2]float64{g.Rho, g.Delta}]
	blocks, err := json.Marshal(g.Blocks)
	if err != nil {
		panic(err) // numbers always encode
	}
	return fmt.Sprintf(`{"block": "10s", "metrics": {"m": {%s, "noise": %v, "blocks": %s}}}`, objective, g.Phi, blocks), ok
}

// TestBacktestGolden replays every golden sequence through the command itself.
func TestBacktestGolden(t *testing.T) {
	text, err := os.ReadFile("../../analysis/stats/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Seqs []goldenCase }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, g := range golden.Seqs {
		file, ok := g.file()
		if !ok {
			continue
		}
		replayed++
		r := backtestRun(t, "--data", countsFile(t, file), "--false-abort-rate", "0.01", "-o", "json")
		var got verdictJSON
		if err := json.Unmarshal([]byte(r.out.String()), &got); err != nil {
			t.Fatalf("%s: %v: %s", g.Name, err, r.err.String())
		}
		values := got.Metrics["m"].Fail
		if g.Grid[0] < 1 {
			values = got.Metrics["m"].Pass
		} else if g.FirstCross > 0 && (r.code != ExitFailed || got.Verdict != "Failed" || got.DecidedAtBlock != g.FirstCross) {
			t.Errorf("%s: code %d, %s at %d, want Failed at %d", g.Name, r.code, got.Verdict, got.DecidedAtBlock, g.FirstCross)
		}
		if len(values) != len(g.Values) {
			t.Fatalf("%s: %d values, want %d", g.Name, len(values), len(g.Values))
		}
		for k, want := range g.Values {
			if math.Abs(values[k]-want) > 1e-9*want {
				t.Errorf("%s: after block %d: %.17g, want %.17g", g.Name, k+1, values[k], want)
			}
		}
	}
	if replayed != 14 {
		t.Errorf("%d sequences were replayed, want 14: all but S7, which has no tolerance", replayed)
	}
}

func TestBacktestVerdicts(t *testing.T) {
	metric := func(name, rest string) string { return fmt.Sprintf(`%q: {"noise": 1, %s}`, name, rest) }
	file := func(metrics ...string) string {
		return fmt.Sprintf(`{"block": "10s", "metrics": {%s}}`, strings.Join(metrics, ", "))
	}
	good := metric("good", `"objective": 0.99, "blocks": [[0,100,1,900],[0,100,1,900],[0,100,1,900]]`)
	bad := metric("bad", `"objective": 0.999, "blocks": [[5,100,1,900],[5,100,1,900],[5,100,1,900]]`)
	cases := map[string]struct {
		reason  string
		file    string
		args    []string
		code    int
		verdict string
		decided int
		words   string
	}{
		"Passed": {
			reason: "What holds at the end has passed, and the words say since when.", file: file(good),
			code: ExitOK, verdict: "Passed", decided: 2,
			words: "Passed: holds from block 2 to the last, 3:\n  good: canary 0 % bad (0/300), stable 0.11 % bad (3/2700); evidence 118.1 of 20 needed that canary is under 2 %",
		},
		"Failed": {
			reason: "The words are those of a release.", file: file(bad),
			code: ExitFailed, verdict: "Failed", decided: 2,
			words: "  bad: canary 5 % bad (10/200), stable 0.11 % bad (2/1800); evidence 151.8 of 100 needed that canary exceeds 1.5 × stable + 0.05 pp → Abort",
		},
		"FailedTogether": {
			reason: "Two metrics share the evidence, and the one to blame is named.", file: file(good, bad),
			code: ExitFailed, verdict: "Failed", decided: 3,
			words: "needed from 2 metrics together, most of it from bad",
		},
		"Rate": {
			reason: "The evidence needed is one by the rate of false aborts.", file: file(bad), args: []string{"--false-abort-rate", "0.001"},
			code: ExitFailed, verdict: "Failed", decided: 2,
			words: "of 1000 needed",
		},
		"Inconclusive": {
			reason: "Too little traffic says what is missing.", file: file(metric("few", `"objective": 0.99, "blocks": [[0,41,0,400]]`)),
			code: ExitInconclusive, verdict: "Inconclusive", decided: 0,
			words: "about 200 requests without a bad one suffice",
		},
		"NoStable": {
			reason: "Where stable never has traffic the objective alone counts.", file: file(metric("first", `"objective": 0.999, "blocks": [[2,100],[2,100],[2,100]]`)),
			code: ExitFailed, verdict: "Failed", decided: 3,
			words: "first: canary 2 % bad (6/300), no stable; evidence 560.8 of 100 needed that canary exceeds 0.2 % → Abort",
		},
		"NoObjective": {
			reason: "Without an objective stable is the yardstick.", file: file(metric("like", `"blocks": [[10,100,1,900],[10,100,1,900]]`)),
			code: ExitFailed, verdict: "Failed", decided: 2,
			words: "exceeds 1.5 × stable + 0.1 pp",
		},
		"NoTraffic": {
			reason: "Traffic that is known to be none is data: too little.", file: file(metric("idle", `"objective": 0.99, "blocks": [[0,0,0,900],[0,0,0,900]]`)),
			code: ExitInconclusive, verdict: "Inconclusive", decided: 0,
			words: "idle: canary no requests, stable 0 % bad (0/1800)",
		},
		"FailedAnyway": {
			reason: "What one metric has proven needs no other.", file: file(bad, metric("gone", `"objective": 0.999, "blocks": [null]`)),
			code: ExitFailed, verdict: "Failed", decided: 3,
			words: "bad: canary 5 % bad",
		},
		"Unusable": {
			reason: "A block without counts changes nothing.", file: file(metric("gap", `"objective": 0.999, "blocks": [[5,100,1,900],null,[7,5,0,0],[5,100,1,900]]`)),
			code: ExitFailed, verdict: "Failed", decided: 4,
			words: "2      20s  gap     unusable",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			data := countsFile(t, tc.file)
			r := backtestRun(t, append([]string{"--data", data}, tc.args...)...)
			if r.code != tc.code || !strings.Contains(r.out.String(), tc.words) {
				t.Errorf("%s\ncode %d, want %d; out, want %q in:\n%s%s", tc.reason, r.code, tc.code, tc.words, r.out.String(), r.err.String())
			}
			var got verdictJSON
			r = backtestRun(t, append([]string{"--data", data, "-o", "json"}, tc.args...)...)
			if err := json.Unmarshal([]byte(r.out.String()), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{tc.code, tc.verdict, tc.decided}, []any{r.code, got.Verdict, got.DecidedAtBlock}); diff != "" {
				t.Errorf("%s\ncode, verdict and block: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// The file of a program that prints everything it knows has these keys and no others.
func TestBacktestJSONKeys(t *testing.T) {
	r := backtestRun(t, "-o", "json", "--data", countsFile(t, `{"metrics": {"m": {"objective": 0.99, "noise": 1, "blocks": [[0, 0]]}}}`))
	want := "{\n  \"verdict\": \"Inconclusive\",\n  \"decidedAtBlock\": 0,\n  \"metrics\": {\n    \"m\": {\n      \"fail\": [\n        1\n      ],\n      \"pass\": [\n        1\n      ]\n    }\n  }\n}\n"
	if diff := cmp.Diff(want, r.out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBacktestErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		file   string
		args   []string
		want   string
	}{
		"Nothing":   {"One learns what to give.", "", nil, "--data FILE"},
		"Name":      {"A name chooses among the templates of files.", "", []string{"checkout"}, "give the template with -f"},
		"NoBlocks":  {"No block at all is nothing to judge.", `{"metrics": {"m": {"objective": 0.99, "blocks": []}}}`, nil, "metric m: there is no data in the file's blocks, so there is nothing to judge"},
		"AllNull":   {"Nor is a block without counts.", `{"metrics": {"m": {"objective": 0.99, "blocks": [null, [5, 3]]}}}`, []string{"-o", "json"}, "metric m: there is no data"},
		"OneNull":   {"What is left of two metrics is no pass.", `{"metrics": {"n": {"objective": 0.5, "noise": 1, "blocks": [[0,900]]}, "m": {"objective": 0.99, "blocks": [null]}}}`, nil, "metric m: there is no data"},
		"Flag":      {"Wrong usage is no verdict.", "", []string{"--until", "1m"}, "unknown flag: --until"},
		"Format":    {"An unknown format lists the known ones.", "{}", []string{"-o", "wide"}, "use json"},
		"NoFile":    {"A file that is not there is named.", "", []string{"--data", "nowhere.json"}, "--data nowhere.json: no such file"},
		"NoJSON":    {"So is one that is not JSON.", "metrics:", nil, "--help` shows the format"},
		"Empty":     {"Nothing can't pass.", "{}", nil, "there are no metrics"},
		"Unknown":   {"A misspelt field is not ignored.", `{"metrics": {"m": {"objektive": 1}}}`, nil, `unknown field "objektive"`},
		"Three":     {"A block is two or four numbers.", `{"metrics": {"m": {"objective": 0.9, "blocks": [[1,2,3]]}}}`, nil, "block [1,2,3]: must be 4 numbers"},
		"Percent":   {"An objective is a share.", `{"metrics": {"m": {"objective": 99.9, "blocks": []}}}`, nil, "objective 99.9: must be a share"},
		"Zero":      {"0 is not the default.", `{"metrics": {"m": {"objective": 0.9, "nextWeight": 0}}}`, nil, `metric "m": nextWeight 0: must be a share above 0, such as 0.25 for 25 %`},
		"Noise":     {"Nor is it for noise.", `{"metrics": {"m": {"objective": 0.9, "noise": 0}}}`, nil, "noise 0: must be a number from 1 to 20"},
		"Rate":      {"A rate is a share too.", `{"metrics": {"m": {"objective": 0.9}}}`, []string{"--false-abort-rate", "1"}, "--false-abort-rate 1: must be a share above 0 and at most 0.5"},
		"Block":     {"A block takes time.", `{"block": "0s", "metrics": {"m": {"objective": 0.9}}}`, nil, `block "0s": must be a duration above 0`},
		"RateZero":  {"0 is not the default.", `{"metrics": {"m": {"objective": 0.9}}}`, []string{"--false-abort-rate", "0"}, "--false-abort-rate 0: must be a share above 0"},
		"RateNaN":   {"NaN is no share.", `{"metrics": {"m": {"objective": 0.9}}}`, []string{"--false-abort-rate", "NaN"}, "--false-abort-rate NaN: must be a share"},
		"NullCount": {"A count that is missing is not 0.", `{"metrics": {"m": {"objective": 0.5, "noise": 1, "blocks": [[null,900,0,900],[0,900,null,900],[0,null]]}}}`, nil, "metric m: there is no data in the file's blocks, so there is nothing to judge; give blocks whose counts are finite"},
		"Next":      {"A flag without effect is not taken in silence.", `{"metrics": {"m": {"objective": 0.9}}}`, []string{"--next-weight", "10"}, "--next-weight: the file of --data says that itself"},
		"Since":     {"Nor is one that looks as if it cut the file.", `{"metrics": {"m": {"objective": 0.9}}}`, []string{"--from", "2h"}, "--from: the file of --data says that itself"},
		"Text":      {"A field of the wrong type is named in words.", `{"metrics": {"m": {"objective": "99.9%"}}}`, nil, "metrics.objective is of type string and must be a number; "},
		"List":      {"So is the whole.", `[]`, nil, "the whole is of type array and must be an object; "},
		"NoByte":    {"An empty file is one.", " ", nil, "it is empty; "},
		"Half":      {"So is half of one.", `{"metrics": {`, nil, "it ends in the middle; "},
		"Packed":    {"What a browser unpacks we do not.", "\x1f\x8b\x08", nil, "it is compressed; unpack it, as in gunzip -c FILE"},
		"NoName":    {"A verdict needs a name to speak of.", `{"metrics": {"": {"objective": 0.9}}}`, nil, "a metric has no name"},
		"Null":      {"A metric that can't be is named.", `{"metrics": {"n": {"objective": 0.9}, "m": null}}`, nil, `metric "m": stable has no traffic to compare with`},
		"Twice":     {"Nor is the first of two metrics.", "{\"metrics\": {\"m\": {\"objective\": 0.9},\n \"m\": {\"objective\": 0.9}}}", nil, "metrics.m is there twice, again in line 2, and one would be lost; put both into one, or rename one"},
		"TwiceKey":  {"Nor of two fields.", `{"metrics": {"m": {"objective": 0.9, "blocks": [[0,900]], "Blocks": []}}}`, nil, "metrics.m.Blocks is there twice, again in line 1"},
		"TwiceAll":  {"Nor of two lists of metrics.", "{\"metrics\": {\"m\": {\"objective\": 0.9}},\n\n\"metrics\": {\"n\": {\"objective\": 0.9}}}", nil, "metrics is there twice, again in line 3"},
		"NamesCase": {"Names that differ in capitals are two.", `{"metrics": {"m": {"objective": 0.99, "blocks": []}, "M": {"objective": 0.99, "blocks": []}}}`, nil, "metric M, m: there is no data"},
		"Two":       {"What follows is not dropped.", `{"metrics": {"m": {"objective": 0.9}}} {}`, nil, "there is more after the object"},
		"Yardstick": {"Something must be held to.", `{"metrics": {"m": {"blocks": [[1,2]]}}}`, nil, "there is no objective"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			args := tc.args
			if tc.file != "" {
				args = append(args, "--data", countsFile(t, tc.file))
			}
			r := backtestRun(t, args...)
			if r.code != ExitNoBacktest || !strings.Contains(r.err.String(), tc.want) || r.out.String() != "" {
				t.Errorf("%s\ncode %d, out %q, err %q; want code %d, err with %q", tc.reason, r.code, r.out.String(), r.err.String(), ExitNoBacktest, tc.want)
			}
		})
	}
}
