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

// taskCommand lists what waits for a person, and records what was done.
func taskCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "task", Short: "list what waits for a person, and say that it is done",
		Long: `A task is something that only a person can do: refund money, repair a credential, answer a chargeback. docs/runbook.md says for each
kind what it means, what to check and what to do. A refund's task is done when the money went back: its reference is booked with it.`,
		Example: `  recoup task list --kind refund
  recoup task done 0193… --reference re_123 --reason "refunded at Stripe"`,
	}
	list := &cobra.Command{Use: "list", Short: "list open tasks, the oldest first", Args: cobra.NoArgs}
	kind := list.Flags().String("kind", "", "only this kind, such as refund")
	account := list.Flags().String("account", "", "only this account")
	list.RunE = func(c *cobra.Command, _ []string) error {
		return withStore(c, open, func(s *store.Store) error {
			tasks, err := s.ListTasks(c.Context(), *kind, billing.AccountID(*account))
			if err != nil {
				return err
			}
			if len(tasks) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "Nothing waits for a person.")
				return nil
			}
			out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "ID\tKIND\tACCOUNT\tCASE\tSINCE\tDETAIL")
			for _, t := range tasks {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Kind, orDash(string(t.Account)), orDash(string(t.Case)),
					t.OpenedAt.UTC().Format(time.RFC3339), t.Detail)
			}
			return out.Flush()
		})
	}
	done := &cobra.Command{Use: "done ID", Short: "say that a task is done", Args: cobra.ExactArgs(1)}
	o := orderFlags(done)
	reference := done.Flags().String("reference", "", "refund: the payment that went back, re_… or a transfer's reference")
	done.RunE = func(c *cobra.Command, args []string) error {
		return withStore(c, open, func(s *store.Store) error {
			fresh, err := s.CloseTask(c.Context(), store.TaskEnd{Task: args[0], Order: signed(o), Reference: *reference})
			if err != nil {
				return err
			}
			if !fresh {
				fmt.Fprintln(c.OutOrStdout(), "The task was done already; nothing changed.")
				return nil
			}
			fmt.Fprintln(c.OutOrStdout(), "Done. Next: recoup task list")
			return nil
		})
	}
	c.AddCommand(list, done)
	return c
}
