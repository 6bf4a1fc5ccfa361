// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/internal/cli"
)

// sluice runs the plugin as a person at the root of the repository does, with a text coming in by a pipe.
func sluice(t *testing.T, in string, args ...string) (out, problem string, code int) {
	t.Helper()
	t.Chdir(root)
	var stdout, stderr bytes.Buffer
	code = cli.Run(t.Context(), cli.Env{
		In: strings.NewReader(in), Out: &stdout, Err: &stderr, Version: "v0.0.0-test", Now: time.Now, NewID: func() string { return "id" },
	}, args)
	t.Chdir("internal/docs")
	return stdout.String(), stderr.String(), code
}

// words splits a command as a shell does, as far as pages need it.
func words(command string) []string {
	var all []string
	word, quote, within := "", rune(0), false
	for _, r := range command + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, within = r, true
		case r == ' ' || r == '\t':
			if within || word != "" {
				all = append(all, word)
			}
			word, within = "", false
		default:
			word += string(r)
		}
	}
	return all
}

var (
	joint   = regexp.MustCompile(`\s(?:&&|\|\||\|)\s`)
	comment = regexp.MustCompile(`(^|\s)#.*`)
	heredoc = regexp.MustCompile(`(?s)<<'?EOF'?.*?\nEOF\n`)
)

// commands are those of the blocks for a shell.
func (p page) commands() []string {
	var all []string
	for _, text := range p.blocks("sh") {
		text = heredoc.ReplaceAllString(text, "\n")
		for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
			for _, command := range joint.Split(comment.ReplaceAllString(line, ""), -1) {
				if command = strings.TrimSpace(command); command != "" {
					all = append(all, command)
				}
			}
		}
	}
	return all
}

// TestCommandsExist: verbs, flags, targets and files that pages name are there.
func TestCommandsExist(t *testing.T) {
	targets := regexp.MustCompile(`(?m)^([a-z0-9-]+(?: [a-z0-9-]+)*):`).FindAllStringSubmatch(read(t, "Makefile").text, -1)
	var goals []string
	for _, m := range targets {
		goals = append(goals, strings.Fields(m[1])...)
	}
	seen := 0
	for _, p := range pages(t) {
		for _, command := range p.commands() {
			args := words(command)
			switch {
			case len(args) > 1 && args[0] == "kubectl" && args[1] == "sluice":
				seen++
				if _, problem, code := sluice(t, "", append(args[2:], "--help")...); code != cli.ExitOK {
					t.Errorf("%s: %s: %s", p.path, command, problem)
				}
			case args[0] == "make" && !slices.Contains(goals, args[1]):
				t.Errorf("%s: %s: the Makefile has no such target", p.path, command)
			}
			for _, arg := range args {
				if missing(arg) {
					t.Errorf("%s: %s: there is no %s", p.path, command, arg)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands of the plugin were found", seen)
	}
}

// missing reports whether a word names a file of the repository that is not there.
func missing(word string) bool {
	if !regexp.MustCompile(`^(config|deploy|docs|hack|e2e|cmd)/`).MatchString(word) {
		return false
	}
	_, err := os.Stat(filepath.Join(root, word))
	return err != nil
}

var transcript = regexp.MustCompile("(?s)<!-- prints: kubectl sluice ([^\n]*?)(, exit code ([0-9]))? -->\n```text\n(.*?)```\n")

// TestTranscripts prints again what pages show as printed. What comes in by
// the pipe are the objects of the page itself.
func TestTranscripts(t *testing.T) {
	seen := 0
	for _, p := range pages(t) {
		fresh := transcript.ReplaceAllStringFunc(p.text, func(all string) string {
			seen++
			m := transcript.FindStringSubmatch(all)
			out, problem, code := sluice(t, strings.Join(p.documents(), "---\n"), words(m[1])...)
			if want := cmp.Or(m[3], "0"); strconv.Itoa(code) != want {
				t.Errorf("%s: kubectl sluice %s: exit code %d, want %s: %s", p.path, m[1], code, want, problem)
			}
			return "<!-- prints: kubectl sluice " + m[1] + m[2] + " -->\n```text\n" + out + problem + "```\n"
		})
		if *update && fresh != p.text {
			if err := os.WriteFile(filepath.Join(root, p.path), []byte(fresh), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := gocmp.Diff(p.text, fresh); diff != "" {
			t.Errorf("%s (-shown +printed; -update rewrites it):\n%s", p.path, diff)
		}
	}
	if seen == 0 {
		t.Error("no page has a transcript")
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#:\s]*)(#[^)\s]*)?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the headings of a page as links name them.
func (p page) anchors() []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(p.prose(), -1) {
		all = append(all, "#"+strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// TestLinksLeadSomewhere follows every link within the repository.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.prose(), -1) {
			target := p.path
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(p.path), m[1])
			}
			info, err := os.Stat(filepath.Join(root, target))
			if err != nil {
				t.Errorf("%s: the link to %s leads nowhere", p.path, m[1])
				continue
			}
			if m[2] != "" && !info.IsDir() && !slices.Contains(read(t, target).anchors(), m[2]) {
				t.Errorf("%s: %s has no heading %s, but %s", p.path, target, m[2], read(t, target).anchors())
			}
		}
	}
}

// TestMapIsComplete: docs/README.md leads to every page.
func TestMapIsComplete(t *testing.T) {
	const list = "docs/README.md"
	led := map[string]bool{list: true}
	for _, m := range link.FindAllStringSubmatch(read(t, list).prose(), -1) {
		led[filepath.Join("docs", m[1])] = true
	}
	for _, p := range pages(t) {
		if strings.HasPrefix(p.path, "docs/") && !led[p.path] {
			t.Errorf("%s does not lead to %s", list, p.path)
		}
	}
}

// TestCountsAreThoseOfThePage: the file that is replayed for the plugin's page is the one it has people write.
func TestCountsAreThoseOfThePage(t *testing.T) {
	counts := read(t, "internal/docs/testdata/counts.json").text
	if !strings.Contains(read(t, "docs/kubectl-plugin.md").text, "cat > counts.json <<'EOF'\n"+counts+"EOF\n") {
		t.Error("docs/kubectl-plugin.md has people write other counts than internal/docs/testdata/counts.json")
	}
}
