package main

import (
	"context"

	"github.com/spf13/cobra"

	"recoup/gateway/stripe"
	"recoup/workers"
	"recoup/workers/metrics"
)

// webhooksConfig is what the receiver of webhooks reads.
type webhooksConfig struct {
	Listen workers.WebhookConfig
	Stripe stripe.Config
}

func webhooksCommand() *cobra.Command {
	return &cobra.Command{
		Use: "webhooks", Short: "receive the gateways' webhooks, so that what they settle is seen at once", Args: cobra.NoArgs,
		Long: `Receives webhooks at /stripe: checks the signature, stores the event, has the attempt looked up at the gateway. Nothing an
event says is believed, and none is needed: without webhooks the same things happen when the next look-up is due. In Stripe's dashboard
subscribe to payment_intent.* and charge.dispute.*, and put the endpoint's signing secret into RECOUP_STRIPE_WEBHOOK_SECRETS.`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			config, err := process[webhooksConfig](ctx)
			if err != nil {
				return err
			}
			log, err := newLogger(ctx)
			if err != nil {
				return err
			}
			s, err := openStore(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			return observed(ctx, s, log, func(ctx context.Context, _ *metrics.Metrics) error {
				return workers.ServeWebhooks(ctx, config.Listen, config.Stripe, s, log, func(addr string) {
					log.Info("webhooks are received", "address", "http://"+addr+workers.StripeWebhooks)
				})
			})
		},
	}
}
