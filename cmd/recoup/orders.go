package main

import (
	"os/user"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"recoup/store"
)

// orderFlags adds the flags by which a person signs an order about the whole system (R2).
func orderFlags(c *cobra.Command) *store.Order {
	o := &store.Order{}
	f := c.Flags()
	f.StringVar(&o.Reason, "reason", "", "why (required)")
	f.StringVar(&o.Actor, "actor", "", "who gives the order (default: the user of this shell)")
	f.StringVar(&o.RequestID, "request-id", "", "names the order in the audit log; one is made when missing")
	return o
}

// signed completes what the person left out.
func signed(o *store.Order) store.Order {
	if o.RequestID == "" {
		o.RequestID = "cli-" + uuid.NewString()
	}
	o.Actor = actorOr(o.Actor)
	return *o
}

// actorOr is who acts: as named, or else the user of this shell.
func actorOr(name string) string {
	if name == "" {
		if u, err := user.Current(); err == nil {
			return u.Username
		}
	}
	return name
}
