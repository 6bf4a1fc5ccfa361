// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-sluice is the kubectl plugin; see package cli for what it does.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/util/uuid"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // the ways to log in that kubectl has
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	// The libraries' own logs would tear the output apart; what matters is said by the verbs.
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	terminal := term.IsTerminal(int(os.Stdout.Fd()))
	return cli.Run(ctx, cli.Env{
		In:       os.Stdin,
		Out:      os.Stdout,
		Err:      os.Stderr,
		Terminal: terminal,
		Colour:   terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		User:     os.Getenv("USER"),
		Version:  version,
		Now:      time.Now,
		NewID:    func() string { return string(uuid.NewUUID()) },
	}, os.Args[1:])
}
