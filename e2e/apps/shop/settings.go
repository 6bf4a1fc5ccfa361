// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"time"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

// settings say how the shop behaves. They are fixed once parsed.
type settings struct {
	listen     string
	tls        identity
	version    string
	harm       app.Harm
	startDelay time.Duration
	drain      time.Duration
	crash      bool
}

// identity is whom the shop is to those who speak TLS.
type identity struct{ listen, certificate, key string }

// parse reads flags, and the environment for those that are not given.
func parse(args []string, env func(string) string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("shop", flag.ContinueOnError)
	f.StringVar(&s.listen, "listen", ":8080", "address to listen on")
	f.StringVar(&s.tls.listen, "tls-listen", "", "address to speak TLS on too; none without")
	f.StringVar(&s.tls.certificate, "tls-certificate", "", "certificate to show there, in PEM")
	f.StringVar(&s.tls.key, "tls-key", "", "its key, in PEM")
	f.StringVar(&s.version, "version", "v0", "version to answer with")
	app.Flags(f, &s.harm, "requests answered 500")
	f.DurationVar(&s.startDelay, "start-delay", 0, "time before the shop listens")
	f.DurationVar(&s.drain, "drain", 5*time.Second, "time to go on serving after SIGTERM, so that callers learn of it first")
	f.BoolVar(&s.crash, "crash", false, "exit with code 1 instead of listening")
	if err := app.Parse(f, args, env); err != nil {
		return settings{}, err
	}
	return s, s.harm.Check()
}
