// Command devstack runs the whole of Recoup on this machine; see package
// devstack. `make run` builds and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata"

	"recoup/devstack"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "Aborted. Nothing committed is lost.")
		os.Exit(130)
	}()
	err := run(ctx, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("devstack", flag.ContinueOnError)
	base := flags.Int("port-base", 0, "number all ports from `N` on: console, mailbox, SMTP, Temporal, Temporal UI, gateway, Postgres, webhooks, identity provider")
	data := flags.String("data", ".recoup", "keep everything in `DIR`")
	noStory := flags.Bool("no-story", false, "do not load the sample story")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp // flag has printed what is wrong
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q; see --help", flags.Arg(0))
	}
	ports := devstack.DefaultPorts()
	if *base != 0 {
		var err error
		if ports, err = devstack.PortsFrom(*base); err != nil {
			return err
		}
	}
	return devstack.Run(ctx, devstack.Options{
		DataDir: *data,
		Ports:   ports,
		Story:   !*noStory,
		Out:     os.Stdout,
		Log:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, devstack.Parts(), nil)
}
