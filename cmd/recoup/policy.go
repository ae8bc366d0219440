package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// policyCommand is everything about policies that people do. open connects to the database.
func policyCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "policy", Short: "show, check, compare, preview, add and assign policies",
		Long: `A policy says when rounds, notices and suspensions come. It is written as YAML, numbered, and never changed: another version
is another file. Cases keep the version they were opened with. docs/policies.md has the fields and a walk through.`,
		Example: `  recoup policy show standard > standard.yaml      # edit it, and make it version 2
  recoup policy check standard.yaml
  recoup policy diff standard standard.yaml
  recoup policy preview standard.yaml --due 2026-12-01 --zone Europe/Berlin --amount "49.00 EUR"
  recoup policy add standard.yaml --reason "a week more before the final notice"
  recoup policy assign fast --country DE --plan trial --priority 10 --reason "trials may not run up debts"
  recoup policy explain inv-1`,
	}
	c.AddCommand(policyListCommand(open), policyShowCommand(open), policyCheckCommand(open), policyDiffCommand(open), policyPreviewCommand(open),
		policyAddCommand(open), policyAssignCommand(open), policyUnassignCommand(open), policyAssignmentsCommand(open), policyExplainCommand(open),
		policyMoveCommand(open))
	return c
}

// policyRef is NAME or NAME@VERSION; version 0 is the newest.
func policyRef(text string) (name string, version int, err error) {
	name, number, pinned := strings.Cut(text, "@")
	if err := dunning.CheckPolicyName(name); err != nil {
		return "", 0, err
	}
	if !pinned {
		return name, 0, nil
	}
	version, err = strconv.Atoi(number)
	if err != nil || version < 1 {
		return "", 0, fmt.Errorf("%q: want NAME or NAME@VERSION, such as %s@1", text, name)
	}
	return name, version, nil
}

// onePolicy reads a stored policy by NAME or NAME@VERSION, or a file: anything with a dot or a slash in it, - for standard input.
func onePolicy(c *cobra.Command, s *store.Store, text string) (dunning.Policy, error) {
	if isFile(text) {
		document, err := readDocument(c, text)
		if err != nil {
			return dunning.Policy{}, err
		}
		p, err := dunning.ParsePolicy(document)
		return p, inFile(text, err)
	}
	name, version, err := policyRef(text)
	if err != nil {
		return dunning.Policy{}, err
	}
	return s.PolicyOf(c.Context(), name, version)
}

func isFile(text string) bool { return text == "-" || strings.ContainsAny(text, "./") }

func readDocument(c *cobra.Command, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(c.InOrStdin(), 1<<20))
	}
	document, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return document, nil
}

// inFile puts the file before each problem of a policy file, as compilers do, so that editors jump there.
func inFile(file string, err error) error {
	var problems dunning.PolicyProblems
	if !errors.As(err, &problems) {
		return err
	}
	var out strings.Builder
	for _, p := range problems {
		field := ""
		if p.Field != "" {
			field = p.Field + ": "
		}
		fmt.Fprintf(&out, "%s:%d:%d: %s%s\n", file, p.Line, p.Column, field, p.Text)
	}
	what := "1 problem"
	if len(problems) != 1 {
		what = fmt.Sprintf("%d problems", len(problems))
	}
	return fmt.Errorf("%s; nothing was changed\n%s", what, strings.TrimSuffix(out.String(), "\n"))
}

func policyListCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list every version of every policy", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, open, func(s *store.Store) error {
				all, err := s.Policies(c.Context())
				if err != nil {
					return err
				}
				out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(out, "POLICY\tROUNDS\tFINAL NOTICE\tSUSPEND\tCLOSE\tLIVE CASES\tADDED\tBY\tWHY")
				for _, p := range all {
					fmt.Fprintf(out, "%s@%d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", p.Name, p.Version, roundsWords(p.Policy), dayOrDash(p.Policy, p.FinalNotice),
						dayOrDash(p.Policy, p.Suspend), dayOrDash(p.Policy, p.Close), p.Live, p.AddedAt.UTC().Format(time.DateOnly), p.AddedBy, p.Reason)
				}
				return out.Flush()
			})
		},
	}
}

func roundsWords(p dunning.Policy) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Rounds), " ", ","), "[]")
}

func dayOrDash(p dunning.Policy, n int) string {
	if n == 0 {
		return "-"
	}
	return p.UnitWords(n)
}

func policyShowCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	return &cobra.Command{
		Use: "show [NAME[@VERSION]]", Short: "print a policy as it was written (default: the newest version of standard)", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, version, err := policyRef(append(args, dunning.DefaultPolicy)[0])
			if err != nil {
				return err
			}
			return withStore(c, open, func(s *store.Store) error {
				p, err := s.FindPolicy(c.Context(), name, version)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "# %s version %d, added %s by %s: %s\n# limits, those that it does not name included: %s\n%s", p.Name, p.Version,
					p.AddedAt.UTC().Format(time.RFC3339), p.AddedBy, p.Reason, p.Limits, p.Document)
				return nil
			})
		},
	}
}

func policyCheckCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	var alone bool
	c := &cobra.Command{
		Use: "check FILE", Short: "say everything that is wrong with a policy file", Args: cobra.ExactArgs(1),
		Long: `Names every mistake with line, column and field, and says what is allowed. It also says whether the version could be added;
with --alone it looks at the file only and needs no database.`,
		RunE: func(c *cobra.Command, args []string) error {
			document, err := readDocument(c, args[0])
			if err != nil {
				return err
			}
			p, err := dunning.ParsePolicy(document)
			if err != nil {
				return inFile(args[0], err)
			}
			if alone {
				fmt.Fprintf(c.OutOrStdout(), "%s is a policy: %s version %d.\n", args[0], p.Name, p.Version)
				return nil
			}
			return withStore(c, open, func(s *store.Store) error {
				_, there, err := s.CheckPolicy(c.Context(), document)
				if err != nil {
					return err
				}
				if there {
					fmt.Fprintf(c.OutOrStdout(), "%s is a policy: %s version %d, which is there already.\n", args[0], p.Name, p.Version)
					return nil
				}
				fmt.Fprintf(c.OutOrStdout(), "%s is a policy: %s version %d, which is new. Next: recoup policy add %[1]s --reason …\n", args[0], p.Name, p.Version)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&alone, "alone", false, "look at the file only")
	return c
}

func policyAddCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "add FILE", Short: "store the next version of a policy, or the first of a new one", Args: cobra.ExactArgs(1),
		Long: `New cases of accounts that follow the policy take the version from then on; live ones keep theirs (recoup policy move).
The same content again changes nothing.`,
	}
	o := orderFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		document, err := readDocument(c, args[0])
		if err != nil {
			return err
		}
		return withStore(c, open, func(s *store.Store) error {
			p, fresh, err := s.AddPolicy(c.Context(), document, signed(o))
			if err != nil {
				return inFile(args[0], err)
			}
			if !fresh {
				fmt.Fprintf(c.OutOrStdout(), "%s version %d is there already with this content; nothing changed.\n", p.Name, p.Version)
				return nil
			}
			fmt.Fprintf(c.OutOrStdout(), "Added %s version %d: new cases of accounts that follow %[1]s take it. ", p.Name, p.Version)
			if p.Version > 1 {
				fmt.Fprintf(c.OutOrStdout(), "Next: recoup policy diff %s@%d %s@%d\n", p.Name, p.Version-1, p.Name, p.Version)
				return nil
			}
			fmt.Fprintf(c.OutOrStdout(), "Next: recoup policy assign %s --account …, or --priority … with a segment\n", p.Name)
			return nil
		})
	}
	return c
}

func policyMoveCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use: "move CASE NAME[@VERSION]", Short: "have a live case follow another policy, the changed dates shown", Args: cobra.ExactArgs(2),
		Long: `The stage and the stage clock stay; the dates to come are those of the other policy. A move that would take time from the
customer is refused: the notices still to come must lie ahead, and a date that a notice has told never comes nearer. --dry-run only shows.`,
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "show the changed dates and change nothing")
	o := orderFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		name, version, err := policyRef(args[1])
		if err != nil {
			return err
		}
		return withStore(c, open, func(s *store.Store) error {
			id := billing.CaseID(args[0])
			preview, err := s.PreviewMovePolicy(c.Context(), id, name, version)
			if err != nil {
				return err
			}
			if err := printMove(c.OutOrStdout(), preview); err != nil || dry {
				return err
			}
			got, err := s.MoveCasePolicy(c.Context(), id, name, preview.ToVersion, signed(o))
			switch {
			case err != nil:
				return err
			case got.Unchanged:
				fmt.Fprintf(c.OutOrStdout(), "Case %s follows %s@%d already; nothing changed.\n", id, got.ToPolicy, got.ToVersion)
			case got.Repeated:
				fmt.Fprintf(c.OutOrStdout(), "This request was carried out before: case %s moved from %s@%d.\n", id, got.FromPolicy, got.FromVersion)
			default:
				fmt.Fprintf(c.OutOrStdout(), "Case %s follows %s@%d now. Next: recoup case show %[1]s\n", id, got.ToPolicy, got.ToVersion)
			}
			return nil
		})
	}
	return c
}

func printMove(w io.Writer, p store.PolicyMoveAnswer) error {
	fmt.Fprintf(w, "Case %s: %s@%d → %s@%d\n", p.Case, p.FromPolicy, p.FromVersion, p.ToPolicy, p.ToVersion)
	if p.Move.Refused != "" {
		fmt.Fprintln(w, "It may not move now:", p.Move.Refused)
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "WHAT\tWAS\tWOULD BE\t")
	for _, d := range p.Move.Next {
		what := stepWords[d.Do]
		if d.Round > 0 {
			what = fmt.Sprintf("round %d", d.Round)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", what, instantOrDash(d.Was), instantOrDash(d.Is), apart(d.Was, d.Is))
	}
	return out.Flush()
}
