package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/store"
)

// sessionCommand shows who is signed in to the console and signs them out.
func sessionCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "session", Short: "see who is signed in to the console, and sign people out",
		Example: `  recoup session list
  recoup session end sam --reason "laptop stolen"`,
	}
	list := &cobra.Command{
		Use: "list", Short: "list live sessions, the last used first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, open, func(s *store.Store) error {
				sessions, err := s.ListSessions(c.Context())
				if err != nil {
					return err
				}
				if len(sessions) == 0 {
					fmt.Fprintln(c.OutOrStdout(), "Nobody is signed in.")
					return nil
				}
				out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(out, "NAME\tROLES\tACCOUNT\tFROM\tSIGNED IN\tLAST SEEN\tENDS")
				for _, v := range sessions {
					roles := make([]string, len(v.Roles))
					for n, r := range v.Roles {
						roles[n] = string(r)
					}
					fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Name, strings.Join(roles, ","), orDash(string(v.Account)), orDash(v.Address),
						v.SignedInAt.UTC().Format(time.RFC3339), v.SeenAt.UTC().Format(time.RFC3339), v.ExpiresAt.UTC().Format(time.RFC3339))
				}
				return out.Flush()
			})
		},
	}
	end := &cobra.Command{Use: "end NAME", Short: "sign a person out everywhere, at once", Args: cobra.ExactArgs(1)}
	actor := end.Flags().String("actor", "", "who does it (default: the user of this shell)")
	reason := end.Flags().String("reason", "", "why (required)")
	end.RunE = func(c *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return billing.Refuse(billing.RefusedInvalid, "--reason", "must say why")
		}
		return withStore(c, open, func(s *store.Store) error {
			n, err := s.EndSessionsOf(c.Context(), args[0], actorOr(*actor), *reason)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%d sessions of %s ended. Take the role away at the identity provider too, or they can sign in again.\n", n, args[0])
			return nil
		})
	}
	c.AddCommand(list, end)
	return c
}
