// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command image packs one static binary into a container image, as an archive
// that container runtimes can import. It needs neither Docker nor a registry.
package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// nobody is the user that containers run as; a number, so that Kubernetes can
// see that it is not root.
const nobody = "65532:65532"

func main() {
	ref := flag.String("ref", "", "name and tag of the image")
	binary := flag.String("binary", "", "path of a static Linux binary, which becomes the entrypoint")
	out := flag.String("out", "", "path of the archive to write")
	flag.Parse()
	if *ref == "" || *binary == "" || *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := pack(*ref, *binary, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func pack(ref, binary, out string) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("reading the image's name: %w", err)
	}
	if err := checkStatic(binary); err != nil {
		return err
	}
	image, err := build(binary)
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(out, tag, image); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return nil
}

// checkStatic refuses binaries that could not start in an otherwise empty image.
func checkStatic(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s is not a Linux binary (build it with GOOS=linux): %w", path, err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New(path + " is linked dynamically; build it with CGO_ENABLED=0")
		}
	}
	return nil
}

func build(binary string) (v1.Image, error) {
	layer, err := layerOf(binary)
	if err != nil {
		return nil, err
	}
	blob, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(layer)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("making the layer: %w", err)
	}
	image, err := mutate.AppendLayers(empty.Image, blob)
	if err != nil {
		return nil, fmt.Errorf("adding the layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the image's config: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = []string{"/" + filepath.Base(binary)}
	config.Config.User = nobody
	config.Config.WorkingDir = "/"
	return mutate.ConfigFile(image, config)
}

// layerOf is a layer with the binary in the root folder and an empty /tmp. Its
// times are all zero, so that equal binaries make equal images.
func layerOf(binary string) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("reading the binary: %w", err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	headers := []*tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: filepath.Base(binary), Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))},
	}
	for _, header := range headers {
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("writing the layer: %w", err)
		}
	}
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	return layer.Bytes(), w.Close()
}
