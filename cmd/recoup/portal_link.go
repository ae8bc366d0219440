package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"recoup/access"
	"recoup/billing"
	"recoup/console"
	"recoup/store"
)

// portalLinkCommand makes a link by which a person of an account signs in to its own pages.
func portalLinkCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "portal-link ACCOUNT", Short: "make a link by which one person of an account signs in, once", Args: cobra.ExactArgs(1),
		Long: `The link opens the account's own pages for one person: what is owed, what happens next, paying, asking for time, payment methods.
It is good for one sign-in within 15 minutes and is shown this once. Opening it shows a button; only pressing that uses it up.`,
		Example: `  recoup account portal-link acme --role owner --name "Olga Meier"
  recoup account portal-link acme --role account_viewer --name "Bert"`,
	}
	role := c.Flags().String("role", "", "what the person may do: owner, billing_manager or account_viewer (required)")
	name := c.Flags().String("name", "", "who the person is, as their acts are recorded (required)")
	actor := c.Flags().String("actor", "", "who makes the link (default: the user of this shell)")
	c.RunE = func(c *cobra.Command, args []string) error {
		config, err := process[console.Config](c.Context())
		if err != nil {
			return err
		}
		return withStore(c, open, func(s *store.Store) error {
			secret, err := s.CreatePortalLink(c.Context(), billing.AccountID(args[0]), access.Role(*role), *name, actorOr(*actor))
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s\n", console.PortalURL(config.URL, secret))
			fmt.Fprintf(c.ErrOrStderr(), "Good for one sign-in as %s of %s, until %s from now. It is not shown again.\n", *role, args[0], store.PortalLinkLife)
			return nil
		})
	}
	return c
}
