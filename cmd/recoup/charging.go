package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"recoup/dunning"
	"recoup/store"
)

// chargingCommand is the kill switch. open connects to the database.
func chargingCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "charging", Short: "stop and start all charges: the kill switch",
		Long: `Stopping keeps every charge back from the moment the command returns, at one gateway or at all. It is no decline and nobody's
outage: cases wait, nothing escalates, and their stage clocks move by the time stopped. Charges that were sent before are looked up and
booked as always. Customers can still pay by other means.`,
		Example: `  recoup charging stop --reason "amounts look wrong"
  recoup charging start --reason "fixed in release 12"
  recoup charging stop --gateway stripe --reason "Stripe reports trouble"
  recoup charging status`,
	}
	c.AddCommand(chargingStopCommand(open), chargingStartCommand(open), chargingStatusCommand(open))
	return c
}

func gatewayFlag(c *cobra.Command) *string {
	return c.Flags().String("gateway", dunning.AnyGateway, "only this gateway; "+dunning.AnyGateway+" is all of them")
}

func gatewayWords(gateway string) string {
	if gateway == dunning.AnyGateway {
		return "every gateway"
	}
	return gateway
}

func chargingStopCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "stop", Short: "charge nothing from now on", Args: cobra.NoArgs}
	gateway, o := gatewayFlag(c), orderFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withStore(c, open, func(s *store.Store) error {
			fresh, err := s.StopCharging(c.Context(), *gateway, signed(o))
			if err != nil {
				return err
			}
			if !fresh {
				fmt.Fprintf(c.OutOrStdout(), "Charging was stopped at %s already; nothing changed. Next: recoup charging status\n", gatewayWords(*gateway))
				return nil
			}
			fmt.Fprintf(c.OutOrStdout(), "Charging is stopped at %s: nothing more is sent. Next: recoup charging start --gateway '%s' --reason …\n",
				gatewayWords(*gateway), *gateway)
			return nil
		})
	}
	return c
}

func chargingStartCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	c := &cobra.Command{Use: "start", Short: "lift a stop and wake the cases it kept back", Args: cobra.NoArgs}
	gateway, o := gatewayFlag(c), orderFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withStore(c, open, func(s *store.Store) error {
			lifted, woken, err := s.StartCharging(c.Context(), *gateway, signed(o))
			if err != nil {
				return err
			}
			what := "was not stopped"
			if lifted {
				what = "is started"
			}
			fmt.Fprintf(c.OutOrStdout(), "Charging %s at %s; %d waiting cases are re-read.\n", what, gatewayWords(*gateway), woken)
			stops, _, err := s.ChargingStops(c.Context())
			if err == nil && len(stops) > 0 {
				fmt.Fprintln(c.OutOrStdout(), "Other stops are still in force:")
				err = printStops(c.OutOrStdout(), stops)
			}
			return err
		})
	}
	return c
}

func chargingStatusCommand(open func(context.Context) (*store.Store, error)) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "say whether charging is stopped, by whom, why and since when", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, open, func(s *store.Store) error {
				stops, waiting, err := s.ChargingStops(c.Context())
				if err != nil {
					return err
				}
				if len(stops) == 0 {
					fmt.Fprintln(c.OutOrStdout(), "Charging runs at every gateway.")
				} else if err := printStops(c.OutOrStdout(), stops); err != nil {
					return err
				}
				if waiting > 0 {
					fmt.Fprintf(c.OutOrStdout(), "%d cases are kept back by us; their stage clocks stand.\n", waiting)
				}
				return nil
			})
		},
	}
}

func printStops(w io.Writer, stops []dunning.ChargingStop) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "STOPPED AT\tSINCE\tBY\tWHY")
	for _, s := range stops {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", gatewayWords(s.Gateway), s.Since.UTC().Format(time.RFC3339), s.By, s.Reason)
	}
	return out.Flush()
}

func withStore(c *cobra.Command, open func(context.Context) (*store.Store, error), f func(*store.Store) error) error {
	s, err := open(c.Context())
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s)
}
