package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// tokenCommand makes and ends the tokens that programs show the API.
func tokenCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "token", Short: "make, list and revoke tokens for the JSON API",
		Long: `A token speaks for a program: it may do the actions it was given and nothing else, for one account or for all, until its end.
It is shown once, when it is made; Recoup keeps only its hash.`,
		Example: `  recoup token create --name reports --scope cases.read,accounts.read --expires 90d
  recoup token create --name acme-books --account acme --scope own.read,own.pay
  recoup token create --name billing-site --scope portal.open,methods.change
  recoup token list
  recoup token revoke 5f0c… --reason "leaked in a log"`,
	}
	c.AddCommand(tokenCreateCommand(open), tokenListCommand(open), tokenRevokeCommand(open), tokenActionsCommand())
	return c
}

func tokenCreateCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "create", Short: "make a token and print it, this once", Args: cobra.NoArgs}
	flags := c.Flags()
	name := flags.String("name", "", "what the token is for (required)")
	scopes := flags.StringSlice("scope", nil, "the actions it may do, separated by commas (recoup token actions)")
	account := flags.String("account", "", "only this account; empty: all")
	expires := flags.String("expires", "90d", "how long it lives: 12h, 90d, at most 366d")
	actor := flags.String("actor", "", "who makes it (default: the user of this shell)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		life, err := parseLife(*expires)
		if err != nil {
			return err
		}
		n := store.NewToken{Name: *name, Account: billing.AccountID(*account), Life: life, Actor: actorOr(*actor)}
		for _, s := range *scopes {
			n.Scopes = append(n.Scopes, access.Action(strings.TrimSpace(s)))
		}
		return withStore(c, open, func(s *store.Store) error {
			token, err := s.CreateToken(c.Context(), n)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s\n", token)
			fmt.Fprintf(c.ErrOrStderr(), "This is the only time the token is shown. Use it as: curl -H 'Authorization: Bearer …' $RECOUP_CONSOLE_URL/api/cases\n")
			return nil
		})
	}
	return c
}

// parseLife reads a duration that may count days.
func parseLife(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err == nil && fmt.Sprint(n) == days && n > 0 && n <= 366 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, billing.Refuse(billing.RefusedInvalid, "--expires", "%q is not a time such as 12h or 90d (at most 366d)", text)
	}
	return d, nil
}

func tokenListCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list all tokens, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, open, func(s *store.Store) error {
				tokens, err := s.ListTokens(c.Context())
				if err != nil {
					return err
				}
				if len(tokens) == 0 {
					fmt.Fprintln(c.OutOrStdout(), "There are no tokens. Next: recoup token create --name … --scope …")
					return nil
				}
				out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(out, "ID\tNAME\tACCOUNT\tACTIONS\tMADE BY\tEXPIRES\tLAST USED\tSTATE")
				for _, t := range tokens {
					fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, orDash(string(t.Account)), joinActions(t.Scopes), t.CreatedBy,
						t.ExpiresAt.UTC().Format(time.DateOnly), dateOrDash(t.UsedAt), tokenState(t, time.Now()))
				}
				return out.Flush()
			})
		},
	}
}

func tokenState(t store.TokenView, now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !t.ExpiresAt.After(now):
		return "expired"
	}
	return "good"
}

func joinActions(actions []access.Action) string {
	names := make([]string, len(actions))
	for n, a := range actions {
		names[n] = string(a)
	}
	return strings.Join(names, ",")
}

func dateOrDash(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.DateOnly)
}

func tokenRevokeCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "revoke ID", Short: "end a token at once", Args: cobra.ExactArgs(1)}
	actor := c.Flags().String("actor", "", "who revokes it (default: the user of this shell)")
	reason := c.Flags().String("reason", "", "why (required)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return billing.Refuse(billing.RefusedInvalid, "--reason", "must say why")
		}
		return withStore(c, open, func(s *store.Store) error {
			if err := s.RevokeToken(c.Context(), args[0], actorOr(*actor), *reason); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Token %s is revoked: the next request with it is refused.\n", args[0])
			return nil
		})
	}
	return c
}

func tokenActionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "actions", Short: "list the actions a token can be given, and the roles of people that have each", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "ACTION\tROLES")
			for _, a := range access.Actions() {
				if a == access.Public {
					continue
				}
				var roles []string
				for _, r := range append(access.StaffRoles(), access.AccountRoles()...) {
					if r.May(a) {
						roles = append(roles, string(r))
					}
				}
				fmt.Fprintf(out, "%s\t%s\n", a, strings.Join(roles, ", "))
			}
			return out.Flush()
		},
	}
}
