// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/admission"
)

// stdin is the name of the file that stands for the standard input.
const stdin = "-"

// bindFiles adds -f as kubectl has it.
func bindFiles(flags *pflag.FlagSet, files *[]string, what string) {
	flags.StringArrayVarP(files, "filename", "f", nil, what+"; - reads the standard input, and -f may be given several times")
}

// document is one object of a file.
type document struct {
	*unstructured.Unstructured
	file string
}

// is reports whether the object is of one of our kinds.
func (d document) is(kind string) bool {
	return d.GetKind() == kind && d.GetAPIVersion() == v1alpha1.GroupVersion.String()
}

// isTemplate reports whether it is a template of analyses, of whatever scope.
func (d document) isTemplate() bool {
	return d.is(string(v1alpha1.KindAnalysisTemplate)) || d.is(string(v1alpha1.KindClusterAnalysisTemplate))
}

// template reads one of those.
func (d document) template() (plan.Template, error) {
	var t v1alpha1.AnalysisTemplate // the other kind has the same fields
	err := d.into(&t)
	return plan.Template{Kind: v1alpha1.TemplateKind(d.GetKind()), Name: d.GetName(), Spec: t.Spec}, err
}

// into reads the object into its type. Of one of ours it must have been reviewed.
func (d document) into(o any) error {
	raw, err := json.Marshal(d.Object)
	if err != nil {
		return fmt.Errorf("%s: encode %s %s: %w", d.file, d.GetKind(), d.GetName(), err)
	}
	if err := json.Unmarshal(raw, o); err != nil {
		return fmt.Errorf("%s: %s %s: %w; correct the field", d.file, d.GetKind(), d.GetName(), err)
	}
	return nil
}

// readInput reads a file, or what comes in by a pipe.
func (e Env) readInput(name string) ([]byte, error) {
	if name != stdin {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, errors.Unwrap(err)
		}
		return raw, nil
	}
	raw, err := io.ReadAll(e.In)
	if err != nil {
		return nil, fmt.Errorf("read the standard input: %w", err)
	}
	return raw, nil
}

// documents reads every object of the files of -f, those of lists too, and has
// ours reviewed as the API server would.
func (e Env) documents(ctx context.Context, files []string) ([]document, error) {
	var all []document
	for _, name := range files {
		raw, err := e.readInput(name)
		if err != nil {
			return nil, fmt.Errorf("-f %s: %w", name, err)
		}
		of, err := split(raw, name)
		if err != nil {
			return nil, fmt.Errorf("-f %s: %w", name, err)
		}
		all = append(all, of...)
	}
	var refused []string
	for _, d := range all {
		said, err := d.review(ctx)
		if err != nil {
			return nil, err
		}
		refused = append(refused, said...)
	}
	if len(refused) > 0 {
		return nil, errors.New("the API server would refuse this; correct what it says:\n  " + strings.Join(refused, "\n  "))
	}
	return all, nil
}

// split gives the objects of a text.
func split(raw []byte, file string) ([]document, error) {
	var all []document
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is no YAML: %w", err)
		}
		o, err := admission.Parse(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("it is no YAML of an object: %s", oneLine(err.Error()))
		case o == nil:
			continue
		case o.GetKind() == "":
			return nil, errors.New("it holds a document without kind; write apiVersion and kind of each object")
		case !o.IsList():
			all = append(all, document{o, file})
			continue
		}
		err = o.EachListItem(func(item runtime.Object) error {
			if one, ok := item.(*unstructured.Unstructured); ok {
				all = append(all, document{one, file})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("it holds a %s that can't be read: %w", o.GetKind(), err)
		}
	}
}

// review asks what the API server would say of one of ours; other kinds are not ours to judge.
func (d document) review(ctx context.Context) ([]string, error) {
	gvk := d.GroupVersionKind()
	if gvk.Group != v1alpha1.GroupVersion.Group {
		return nil, nil
	}
	said, err := admission.Review(ctx, d.Unstructured)
	if err != nil {
		return nil, fmt.Errorf("-f %s: %w", d.file, err)
	}
	for i := range said {
		said[i] = fmt.Sprintf("%s %s: %s", d.GetKind(), d.GetName(), said[i])
	}
	return said, nil
}
