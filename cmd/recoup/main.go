// Command recoup is Recoup's one binary: the worker, the starter, the console, and the commands by which people feed and run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // dates are local to accounts, whatever the machine has (T2)

	"github.com/spf13/cobra"

	"recoup/activities"
	"recoup/billing"
	"recoup/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := realMain(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "recoup:", explain(err))
		os.Exit(1)
	}
}

// realMain runs one command until it is done or ctx ends.
func realMain(ctx context.Context, args []string) error {
	root := rootCommand()
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// runsOn are the commands that no person is behind: what they do has no origin in the audit log, and their transactions don't pay for one.
var runsOn = map[string]bool{"worker": true, "starter": true, "console": true, "webhooks": true, "simulator": true}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "recoup",
		Short: "durable dunning: collects due invoices from credits, funds and payment methods",
		Long: `Recoup collects due invoices: it applies credits and advance funds, charges the primary payment method, then the backups,
retries on a policy for weeks, tells the customer, and suspends and reinstates accounts. Configuration is by environment: recoup config.`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRun: func(c *cobra.Command, _ []string) {
			if !runsOn[c.Name()] {
				c.SetContext(store.WithOrigin(c.Context(), store.Origin{Door: "cli"}))
			}
		},
	}
	root.AddCommand(
		workerCommand(), starterCommand(), consoleCommand(), webhooksCommand(), simulatorCommand(), migrateCommand(),
		importCommand(importEnv{Open: openStore, StripeURL: stripeURL}), caseCommand(), accountCommand(), configCommand(),
		auditCommand(auditEnv{Open: openStore, BooksURL: stripeURL}), chargingCommand(openStore), suspensionsCommand(openStore),
		policyCommand(openStore), batchCommand(openStore), taskCommand(openStore), tokenCommand(openStore), sessionCommand(openStore), logCommand(openStore),
		reconcileCommand(reconcileEnv{Open: openStore, Gateways: configuredGateways, Log: slog.Default()}),
	)
	return root
}

// explain turns errors into words for the person who ran the command.
func explain(err error) string {
	var refusal *billing.Refusal
	if errors.As(err, &refusal) {
		return refusal.Error()
	}
	if refusal := activities.RefusalFrom(err); refusal != nil {
		return refusal.Error()
	}
	return err.Error()
}
