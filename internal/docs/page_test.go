// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

var update = flag.Bool("update", false, "rewrite the transcripts of pages")

func TestMain(m *testing.M) { testenv.Main(m) }

// root of the repository, as seen from here.
const root = "../.."

// page is a text for users.
type page struct {
	// path below the root.
	path string
	text string
}

// block is a piece of a page between fences.
type block struct{ kind, text string }

// blocks gives those of a kind, in order.
func (p page) blocks(kind string) []string {
	var all []string
	for _, b := range p.fenced() {
		if b.kind == kind {
			all = append(all, b.text)
		}
	}
	return all
}

// fenced gives every block, whatever its indentation is.
func (p page) fenced() []block {
	var all []block
	var open *block
	for line := range strings.SplitSeq(p.text, "\n") {
		mark, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{kind: mark}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return all
}

// documents are the objects that a page shows.
func (p page) documents() []string {
	var all []string
	for _, text := range p.blocks("yaml") {
		for document := range strings.SplitSeq(text, "---\n") {
			if strings.TrimSpace(document) != "" {
				all = append(all, document)
			}
		}
	}
	return all
}

// prose is a page without its blocks.
func (p page) prose() string {
	var out strings.Builder
	inside := false
	for line := range strings.SplitSeq(p.text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
			continue
		}
		if !inside {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

func read(t *testing.T, path string) page {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return page{path, string(raw)}
}

// pages are all of docs but the design notes, and the READMEs that users read.
func pages(t *testing.T) []page {
	t.Helper()
	all := []page{read(t, "README.md"), read(t, "deploy/README.md")}
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" && !strings.HasPrefix(path, "docs/design/") {
			all = append(all, read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

// row is the cells of a table's line.
func row(line string) []string {
	line, isRow := strings.CutPrefix(strings.TrimSpace(line), "|")
	if !isRow || strings.HasPrefix(line, "---") {
		return nil
	}
	line = strings.ReplaceAll(strings.TrimSuffix(line, "|"), `\|`, "\x00")
	cells := strings.Split(line, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
	}
	return cells
}

// rows are those of all tables on a page.
func (p page) rows() [][]string {
	var all [][]string
	for line := range strings.SplitSeq(p.prose(), "\n") {
		if cells := row(line); cells != nil {
			all = append(all, cells)
		}
	}
	return all
}

// quoted gives what stands between backquotes.
func quoted(text string) []string {
	var all []string
	for i, piece := range strings.Split(text, "`") {
		if i%2 == 1 && !slices.Contains(all, piece) {
			all = append(all, piece)
		}
	}
	return all
}
