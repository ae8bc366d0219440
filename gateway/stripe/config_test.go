package stripe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"recoup/gateway"
	"recoup/gateway/stripe"
	"recoup/money"
)

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*stripe.Config)
		says  string
	}{
		"no key":           {func(c *stripe.Config) { c.Key = "" }, "RECOUP_STRIPE_KEY is missing"},
		"publishable key":  {func(c *stripe.Config) { c.Key = "pk_test_1" }, "not a secret key"},
		"live over http":   {func(c *stripe.Config) { c.Key = "sk_live_1" }, "https"},
		"no URL":           {func(c *stripe.Config) { c.URL = "stripe" }, "RECOUP_STRIPE_URL"},
		"no timeout":       {func(c *stripe.Config) { c.Timeout = 0 }, "RECOUP_STRIPE_TIMEOUT"},
		"lag below":        {func(c *stripe.Config) { c.LookUpLag = c.Timeout - 1 }, "RECOUP_STRIPE_LOOKUP_LAG"},
		"no rate":          {func(c *stripe.Config) { c.ChargesPerSecond = 0 }, "RECOUP_STRIPE_CHARGES_PER_SECOND"},
		"nothing is wrong": {func(*stripe.Config) {}, ""},
	} {
		cfg := testConfig("http://127.0.0.1:1")
		c.spoil(&cfg)
		_, err := stripe.New(cfg)
		switch {
		case c.says == "" && err != nil, c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want %q", name, err, c.says)
		case err != nil && strings.Contains(err.Error(), "sk_live_1"):
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
}

func TestSelfTest(t *testing.T) {
	s := newStand(t)
	if err := s.adapter.SelfTest(t.Context()); err != nil {
		t.Errorf("with a good key: %v", err)
	}
	cfg := testConfig(s.url)
	cfg.Key = "rk_test_other" // the simulator takes sk_test_ keys only
	other, err := stripe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.SelfTest(t.Context()); !errors.Is(err, gateway.ErrRefused) || !strings.Contains(err.Error(), "RECOUP_STRIPE_KEY") || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a refused key: %v, want HTTP 401", err)
	}
	live := &canned{status: 200, body: `{"object":"balance","livemode":true}`}
	if err := adapterTo(t, live).SelfTest(t.Context()); !errors.Is(err, gateway.ErrRefused) || !strings.Contains(err.Error(), "mode") {
		t.Errorf("a test key on a live account: %v, want an error about the mode", err)
	}
	for name, down := range map[string]*canned{"an outage": {status: 503, body: `{"error":{"type":"api_error"}}`}, "a proxy": {status: 200, body: "<html>"}, "another object": {status: 200, body: "{}"}} {
		if err := adapterTo(t, down).SelfTest(t.Context()); err == nil || errors.Is(err, gateway.ErrRefused) {
			t.Errorf("%s: %v, want an error that blames nobody's key", name, err)
		}
	}
}

// TestM1AmountsInStripesUnits: Stripe's minor units differ from ISO 4217 for some currencies, and what it can't express isn't rounded.
func TestM1AmountsInStripesUnits(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		form     string // "" when it must not be sent
	}{
		{1234, "USD", "amount=1234"}, {1234, "JPY", "amount=1234"}, {12340, "KWD", "amount=12340"}, {12345, "KWD", ""}, {1234, "ISK", "amount=123400"}, {1234, "UGX", "amount=123400"},
	} {
		server := &canned{status: 500, body: "{}"}
		req := tenDollars
		req.Amount = money.New(c.minor, money.MustCurrency(c.currency))
		adapterTo(t, server).Charge(context.Background(), req)
		switch {
		case c.form == "" && len(server.forms) != 0:
			t.Errorf("%d %s was sent: %s", c.minor, c.currency, server.forms[0])
		case c.form != "" && (len(server.forms) != 1 || !strings.Contains(server.forms[0], c.form+"&")):
			t.Errorf("%d %s: form %v, want %s", c.minor, c.currency, server.forms, c.form)
		}
	}
}

// TestU6ContractKeepsAMargin: Stripe promises 24 hours, we count on less.
func TestU6ContractKeepsAMargin(t *testing.T) {
	a, err := stripe.New(testConfig("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if w := a.Contract().KeyWindow; w > 24*time.Hour-10*time.Minute {
		t.Errorf("key window = %s, want a margin below 24 h", w)
	}
}
