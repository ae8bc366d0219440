package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"recoup/starter"
	"recoup/store"
)

// migrateConfig is what only `recoup migrate` reads: it works as the owner of the tables, all other processes as a role with fewer rights.
type migrateConfig struct {
	Database databaseConfig
	Owner    ownerConfig
}

type ownerConfig struct {
	URL         string `env:"RECOUP_OWNER_DATABASE_URL"` // Postgres as the owner; empty: DATABASE_URL
	AppRole     string `env:"RECOUP_APP_ROLE"`           // the application's role
	AppPassword string `env:"RECOUP_APP_PASSWORD"`       // to make the role with, when it is missing
}

func (c migrateConfig) owner() string {
	if c.Owner.URL != "" {
		return c.Owner.URL
	}
	return c.Database.URL
}

func migrateCommand() *cobra.Command {
	var temporalToo bool
	var role string
	c := &cobra.Command{
		Use: "migrate", Short: "bring the database to the newest schema and register Temporal's search attributes", Args: cobra.NoArgs,
		Long: `Brings the schema up to date as the owner of the database (RECOUP_OWNER_DATABASE_URL, or DATABASE_URL), then gives the application's role
(--app-role or RECOUP_APP_ROLE) exactly the rights it needs: journal, events and audit log can then be added to and never changed by any
other process of Recoup. Run it at every upgrade; running it again is harmless.`,
		Example: `  recoup migrate --app-role recoup_app`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			config, err := process[migrateConfig](ctx)
			if err != nil {
				return err
			}
			if role != "" {
				config.Owner.AppRole = role
			}
			if err := migrateDatabase(ctx, c, config); err != nil || !temporalToo {
				return err
			}
			log, err := newLogger(ctx)
			if err != nil {
				return err
			}
			temporal, namespace, err := dialTemporal(ctx, log)
			if err != nil {
				return err
			}
			defer temporal.Close()
			if err := starter.RegisterSearchAttributes(ctx, temporal, namespace); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Search attributes are registered in namespace %s.\n", namespace)
			return nil
		},
	}
	c.Flags().BoolVar(&temporalToo, "temporal", true, "also register the search attributes in Temporal")
	c.Flags().StringVar(&role, "app-role", "", "role of worker, console, webhooks and commands (default: RECOUP_APP_ROLE)")
	return c
}

func migrateDatabase(ctx context.Context, c *cobra.Command, config migrateConfig) error {
	applied, err := store.Migrate(ctx, config.owner())
	if err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "Schema is up to date; %d migrations applied.\n", len(applied))
	if config.Owner.AppRole == "" {
		fmt.Fprintln(c.OutOrStdout(), "No role for the application is named (RECOUP_APP_ROLE): processes that connect as the owner could change what is append-only.")
		return nil
	}
	if err := store.GrantApp(ctx, config.owner(), config.Owner.AppRole, config.Owner.AppPassword); err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "Role %s has its rights; connect worker, console, webhooks and commands as it.\n", config.Owner.AppRole)
	return nil
}
