// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command sluice is the controller manager: it brings Rollouts to the revision
// that is wanted, step by step, and back when users are no longer well served.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap/zapcore"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// version is set by the linker.
var version = "dev"

// options are the command line.
type options struct {
	metricsAddress    string
	probeAddress      string
	leaderElect       bool
	leaderNamespace   string
	prometheusAddress string
	analysisHosts     string
	logLevel          string
	logFormat         string
	printVersion      bool
}

func main() {
	o := parse(os.Args[1:])
	if o.printVersion {
		fmt.Println(version)
		return
	}
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		fmt.Fprintln(os.Stderr, "sluice:", err)
		os.Exit(1)
	}
}

func parse(args []string) options {
	var o options
	fs := flag.NewFlagSet("sluice", flag.ExitOnError)
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address that serves /metrics; 0 turns it off")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address that serves /healthz and /readyz")
	fs.BoolVar(&o.leaderElect, "leader-elect", true, "let only one replica act at a time; required with more than one")
	fs.StringVar(&o.leaderNamespace, "leader-election-namespace", "", "namespace of the lease; default: the pod's own")
	fs.StringVar(&o.prometheusAddress, "prometheus-address", "", "base URL of the Prometheus for analyses that name none, such as http://prometheus.monitoring:9090")
	fs.StringVar(&o.analysisHosts, "analysis-allowed-hosts", "", "hosts that analyses may ask besides --prometheus-address, and gates, with commas between: host:port, host for any port, IPv6 in brackets, *.domain for every host below it; empty: all")
	fs.StringVar(&o.logLevel, "log-level", "info", "debug, info or error")
	fs.StringVar(&o.logFormat, "log-format", "json", "json or console")
	fs.BoolVar(&o.printVersion, "version", false, "print the version and exit")
	_ = fs.Parse(args) // ExitOnError
	return o
}

func run(ctx context.Context, o options) error {
	if err := setUpLogging(o); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	if err := awaitKinds(ctx, mgr.GetRESTMapper(), kindsWithin); err != nil {
		return err
	}
	if err := wire(ctx, mgr, o); err != nil {
		return err
	}
	if err := probes(mgr); err != nil {
		return err
	}
	mgr.GetLogger().Info("Starting", "version", version)
	return mgr.Start(ctx)
}

func setUpLogging(o options) error {
	var level zapcore.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %w; use debug, info or error", err)
	}
	opts := zap.Options{Level: level, TimeEncoder: zapcore.ISO8601TimeEncoder}
	switch o.logFormat {
	case "json":
	case "console":
		opts.Development = true
		opts.StacktraceLevel = zapcore.PanicLevel
	default:
		return fmt.Errorf("--log-format: unknown format %q; use json or console", o.logFormat)
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&opts)))
	return nil
}

func newManager(config *rest.Config, o options) (manager.Manager, error) {
	config.QPS, config.Burst = -1, -1 // the API server's priority and fairness limits us
	config.UserAgent = "sluice/" + version
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	drain := 10 * time.Second
	opts := ctrl.Options{
		Scheme:                  scheme,
		Cache:                   cacheOptions(),
		Metrics:                 metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:  o.probeAddress,
		GracefulShutdownTimeout: &drain,
	}
	if o.leaderElect {
		if err := elect(config, o, &opts); err != nil {
			return nil, err
		}
	}
	mgr, err := ctrl.NewManager(config, opts)
	if err != nil {
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	return mgr, nil
}

func probes(mgr manager.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add /healthz: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add /readyz: %w", err)
	}
	return nil
}
