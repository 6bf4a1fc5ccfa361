// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Licences reads the licence of every module that the product is built from and
// fails when one is missing or is not on the list of those that may be shipped
// in an Apache-2.0 program.
//
//	go run ./hack/licences [-list] [PACKAGE…]
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// dependency is one module that the product is built from.
type dependency struct {
	path    string
	version string
	dir     string
}

func main() {
	list := flag.Bool("list", false, "print the licence of every module")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	if err := run(packages, *list); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(packages []string, list bool) error {
	deps, err := dependencies(packages)
	if err != nil {
		return err
	}
	var faults []error
	for _, d := range deps {
		licences, err := licencesOf(d.dir)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %s: %w", d.path, d.version, err))
			continue
		}
		if list {
			fmt.Printf("%-60s %-40s %s\n", d.path, d.version, strings.Join(licences, ", "))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	fmt.Printf("licences: %d modules, all of them may be shipped\n", len(deps))
	return nil
}

// dependencies lists the modules behind the packages, our own left out.
func dependencies(packages []string) ([]dependency, error) {
	const format = `{{with .Module}}{{if not .Main}}{{.Path}}{{"\t"}}{{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}`
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", format}, packages...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing dependencies: %w", err)
	}
	var deps []dependency
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
			deps = append(deps, dependency{path: f[0], version: f[1], dir: f[2]})
		}
	}
	slices.SortFunc(deps, func(a, b dependency) int { return cmp.Compare(a.path, b.path) })
	return slices.Compact(deps), nil
}

// licencesOf names the licences in the top folder of a module.
func licencesOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for a licence: %w", err)
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() || !isLicenceFile(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the licence: %w", err)
		}
		name, known := classify(string(text))
		if !known {
			return nil, fmt.Errorf("%s is not a licence that may be shipped", e.Name())
		}
		found = append(found, name)
	}
	if len(found) == 0 {
		return nil, errors.New("no licence file")
	}
	return found, nil
}
