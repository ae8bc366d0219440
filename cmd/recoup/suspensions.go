package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/store"
)

// suspensionsCommand shows and re-opens the breaker of suspensions (S4). open connects to the database.
func suspensionsCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "suspensions", Short: "the breaker that stops mass suspensions: show it, open it again, set its bounds",
		Long: `When more accounts than the greater of a floor and a share of the active accounts would be suspended within an hour, suspensions
stop and a person is asked: a mistake of ours is likelier than so many customers who don't pay. Cases that are put off say why.`,
		Example: `  recoup suspensions status
  recoup suspensions allow --reason "month of a large campaign, looked at 20 of them"
  recoup suspensions limit --floor 20 --share 0.005 --reason "as shipped"`,
	}
	c.AddCommand(suspensionsStatusCommand(open), suspensionsAllowCommand(open), suspensionsLimitCommand(open))
	return c
}

func suspensionsStatusCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "say whether suspensions run and how near the bound is", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, open, func(s *store.Store) error {
				b, err := s.ReadSuspensionBreaker(c.Context())
				if err != nil {
					return err
				}
				state := "run"
				if !b.StoppedSince.IsZero() {
					state = "stopped since " + b.StoppedSince.Format(time.RFC3339)
				}
				out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintf(out, "Suspensions\t%s\n", state)
				if b.StoppedWhy != "" {
					fmt.Fprintf(out, "Why\t%s\nPut off\t%d cases\nNext\tlook at them, then recoup suspensions allow --reason …\n", b.StoppedWhy, b.PutOff)
				}
				fmt.Fprintf(out, "Within an hour\t%d accounts suspended; %d may be (floor %d, share %g)\n", b.LastHour, b.Limit, b.Floor, b.Share)
				return out.Flush()
			})
		},
	}
}

func suspensionsAllowCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "allow", Short: "let suspensions go on after a person looked at them", Args: cobra.NoArgs}
	o := orderFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withStore(c, open, func(s *store.Store) error {
			lifted, woken, err := s.AllowSuspensions(c.Context(), signed(o))
			if err != nil {
				return err
			}
			if !lifted {
				fmt.Fprintln(c.OutOrStdout(), "Suspensions were not stopped.")
			} else {
				fmt.Fprintf(c.OutOrStdout(), "Suspensions go on, counted anew from now; %d cases look again.\n", woken)
			}
			return nil
		})
	}
	return c
}

func suspensionsLimitCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "limit", Short: "set how many accounts may be suspended within an hour", Args: cobra.NoArgs}
	o := orderFlags(c)
	floor := c.Flags().Int("floor", 0, "always allowed")
	share := c.Flags().Float64("share", 0, "of the active accounts, 0 to 1; the greater of both counts")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, name := range []string{"floor", "share"} {
			if !c.Flags().Changed(name) {
				return billing.Refuse(billing.RefusedInvalid, "--"+name, "is missing: give both bounds")
			}
		}
		return withStore(c, open, func(s *store.Store) error {
			if err := s.LimitSuspensions(c.Context(), *floor, *share, signed(o)); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "At most the greater of %d and %g of the active accounts are suspended within an hour.\n", *floor, *share)
			return nil
		})
	}
	return c
}
