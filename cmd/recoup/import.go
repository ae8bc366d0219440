package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/intake"
	"recoup/store"
)

// importEnv is what the import takes from its surroundings.
type importEnv struct {
	Open      func(context.Context) (*store.Store, error) // connects to the database
	StripeURL func() string                               // the configured gateway, "" for Stripe itself
}

// importFlags are the command's flags.
type importFlags struct {
	format string
	check  bool
	focus  intake.FocusOptions
	method string
}

// Formats of import files.
const (
	formatLines = "lines"
	formatFocus = "focus"
)

// simulatorToken is Stripe's test card that always pays.
const simulatorToken = "pm_card_visa"

// importCommand is `recoup import FILE…`.
func importCommand(env importEnv) *cobra.Command {
	var flags importFlags
	c := &cobra.Command{
		Use:   "import FILE…",
		Short: "take in accounts, payment methods, credits, deposits and invoices",
		Long: `Takes in files of JSON Lines (one object per line) or, with --format focus, FOCUS 1.0 cost-and-usage CSV.
A file is taken in whole or not at all; errors name line and field; importing the same again changes nothing.
The formats are described in docs/import.md.`,
		Example: `  recoup import examples/story.jsonl
  recoup import --format focus bills.csv --due-days 30 --payment-method none`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error { return runImport(c, env, flags, files) },
	}
	f := c.Flags()
	f.StringVar(&flags.format, "format", formatLines, "format of the files: lines or focus")
	f.BoolVar(&flags.check, "check", false, "only read and check the files, without a database; import nothing")
	f.IntVar(&flags.focus.DueDays, "due-days", 14, "focus: days from the end of the billing period to the due date")
	f.StringVar(&flags.focus.Policy, "policy", "", "focus: policy of new accounts (default: rules decide, see recoup policy assignments)")
	f.StringVar(&flags.focus.TimeZone, "time-zone", intake.DefaultZone, "focus: time zone of new accounts")
	f.StringVar(&flags.focus.EmailDomain, "email-domain", "", "focus: give new accounts a contact billing+ACCOUNT@DOMAIN (default: no contact, notices in the console only)")
	f.StringVar(&flags.method, "payment-method", "", "focus: token of the payment method each new account gets, or none (default: "+simulatorToken+" where the gateway is the simulator, else none)")
	return c
}

func runImport(c *cobra.Command, env importEnv, flags importFlags, files []string) error {
	out := c.OutOrStdout()
	switch flags.format {
	case formatLines:
		for _, name := range []string{"due-days", "policy", "time-zone", "email-domain", "payment-method"} {
			if c.Flags().Changed(name) {
				return fmt.Errorf("--%s belongs to --format focus", name)
			}
		}
	case formatFocus:
		flags.focus.MethodToken = chooseMethod(out, flags.method, env.StripeURL())
	default:
		return fmt.Errorf("--format %q is none of lines, focus", flags.format)
	}
	var s *store.Store
	if !flags.check {
		var err error
		if s, err = env.Open(c.Context()); err != nil {
			return err
		}
		defer s.Close()
	}
	for n, path := range files {
		if err := importFile(c, s, flags, path); err != nil {
			if left := len(files) - n - 1; left > 0 {
				return fmt.Errorf("%w (%d more not looked at)", err, left)
			}
			return err
		}
	}
	if !flags.check {
		fmt.Fprintln(out, "Next: recoup starter --once")
	}
	return nil
}

// chooseMethod decides on the payment method of new accounts. Bills have none; where the gateway runs on this machine it is the
// simulator, and its test card does no harm.
func chooseMethod(out io.Writer, flag, stripeURL string) string {
	switch {
	case flag == "none":
		return ""
	case flag != "":
		return flag
	case isLoopback(stripeURL):
		fmt.Fprintf(out, "New accounts get the test card %s, because the gateway is the simulator at %s (--payment-method none gives none).\n", simulatorToken, stripeURL)
		return simulatorToken
	}
	fmt.Fprintln(out, "New accounts get no payment method: give one with --payment-method TOKEN, or import methods as JSON Lines.")
	return ""
}

func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// importFile takes in one file and says what became of it.
func importFile(c *cobra.Command, s *store.Store, flags importFlags, path string) error {
	out, name := c.OutOrStdout(), filepath.Base(path)
	input, summary, err := readImport(c.ErrOrStderr(), flags, path)
	if err != nil {
		return refused(c.ErrOrStderr(), name, err)
	}
	if summary != nil {
		fmt.Fprintf(out, "%s: %d rows make %d bills: %d to collect, %d round to zero (kept as paid), %d below zero (granted as credits)\n",
			name, summary.Rows, summary.Bills, summary.Bills-summary.Zero-summary.Negative, summary.Zero, summary.Negative)
	}
	if flags.check {
		fmt.Fprintf(out, "%s: nothing wrong with its %d objects; what they refer to outside the file was not looked at\n", name, input.Batch.Len())
		return nil
	}
	progress := newProgress(c.ErrOrStderr(), name+": writing", int64(input.Batch.Len()))
	input.Progress = func(done, total int) { progress.set(int64(done), int64(total)) }
	result, err := s.Import(c.Context(), input)
	progress.finish()
	if err != nil {
		return refused(c.ErrOrStderr(), name, err)
	}
	report(out, name, result)
	return nil
}

func readImport(errs io.Writer, flags importFlags, path string) (store.ImportInput, *intake.FocusSummary, error) {
	input := store.ImportInput{File: filepath.Base(path), Format: flags.format}
	file, err := os.Open(path)
	if err != nil {
		return input, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return input, nil, err
	}
	if info.IsDir() {
		return input, nil, errors.New("is a folder, not a file")
	}
	progress := newProgress(errs, input.File+": reading", info.Size())
	defer progress.finish()
	digest := sha256.New()
	in := io.TeeReader(file, io.MultiWriter(digest, progress))
	var summary *intake.FocusSummary
	if flags.format == formatFocus {
		var counted intake.FocusSummary
		input.Batch, counted, err = intake.ReadFocus(in, flags.focus)
		summary = &counted
		// Another due date or policy is another import; another payment method only matters to new accounts.
		fmt.Fprintf(digest, "%d %s %s", flags.focus.DueDays, flags.focus.Policy, flags.focus.TimeZone)
	} else {
		input.Batch, err = intake.ReadLines(in)
	}
	digest.Sum(input.Digest[:0])
	return input, summary, err
}

// refused prints everything wrong with a file, and returns what the command says at its end.
func refused(errs io.Writer, name string, err error) error {
	var problems *billing.BatchProblems
	if !errors.As(err, &problems) {
		if text := err.Error(); strings.Contains(text, name) {
			return err
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, line := range problems.Lines(name) {
		fmt.Fprintln(errs, line)
	}
	if n := len(problems.First) + problems.More; n > 1 {
		return fmt.Errorf("%s: %d problems; nothing of it was imported", name, n)
	}
	return fmt.Errorf("%s: nothing of it was imported", name)
}

func report(out io.Writer, name string, r store.ImportResult) {
	if r.Again {
		fmt.Fprintf(out, "%s: was imported before; nothing changed\n", name)
		return
	}
	fmt.Fprintf(out, "%s: imported\n", name)
	for _, row := range []struct {
		noun  string
		count store.ImportCount
		note  string
	}{
		{"accounts", r.Accounts, ""}, {"payment methods", r.Methods, ""}, {"credits", r.Credits, ""}, {"deposits", r.Deposits, note(r.Arrived, "announced before, arrived now")},
		{"invoices", r.Invoices, note(r.PaidAtOnce, "with nothing to pay: paid at once")},
	} {
		if row.count != (store.ImportCount{}) || row.note != "" {
			fmt.Fprintf(out, "  %-16s %7d new %7d unchanged%s\n", row.noun, row.count.New, row.count.Unchanged, row.note)
		}
	}
}

func note(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("  (%d %s)", n, what)
}
