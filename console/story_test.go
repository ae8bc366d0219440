package console_test

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// story fills the shop with a case of every sort that pages show.
func (h *shop) story() {
	h.t.Helper()
	ctx := context.Background()
	end := h.now
	h.now = end.AddDate(0, 0, -6)
	h.account("acme", "Acme Maschinenbau GmbH", "Europe/Berlin", "visa 4242", "mastercard 4444")
	h.account("kyoto", "Kyoto Seisakusho", "Asia/Tokyo", "jcb 0505")
	h.account("kuwait", "Gulf Data Services", "Asia/Kuwait", "visa 1881", "visa 0077")
	h.account("brooklyn", "Brooklyn Robotics Inc.", "America/New_York", "amex 8431", "visa 4242")
	h.account("lima", "Lima Logística S.A.", "America/Lima", "visa 9995")
	h.account("evil", `<script>alert("x")</script> & Sons`, "UTC")

	h.credit("cr-acme", "acme", amount("EUR 120"))
	h.invoice("inv-acme", "R-2026-0117", "acme", amount("EUR 1234.56"))
	id, step := h.open("inv-acme")
	step = h.charge(id, step, noFunds)
	h.charge(id, step, lostCard)

	h.credit("cr-kyoto", "kyoto", amount("JPY 3000"))
	h.deposit("dep-kyoto", "kyoto", amount("JPY 2500"))
	h.invoice("inv-kyoto", "JP-00042", "kyoto", amount("JPY 128400"))
	id, step = h.open("inv-kyoto")
	h.charge(id, step, succeeded)

	h.now = end.AddDate(0, 0, -40)
	h.invoice("inv-lima", "L-77", "lima", amount("USD 480"))
	id, step = h.open("inv-lima")
	h.charge(id, step, noFunds)
	h.suspend(id)
	h.now = end.AddDate(0, 0, -6)

	h.now = end.AddDate(0, 0, -2)
	_, err := h.Review(ctx, "inv-acme")
	h.must(err)

	h.now = end.Add(-3 * time.Hour)
	h.invoice("inv-kuwait", "KW-9", "kuwait", amount("KWD 75.125"))
	id, step = h.open("inv-kuwait")
	h.charge(id, step, unknown)

	h.invoice("inv-brooklyn", "B-1001", "brooklyn", amount("USD 19999.99"))
	id, step = h.open("inv-brooklyn")
	step = h.charge(id, step, noFunds)
	h.charge(id, step, noFunds)
	h.now = h.now.Add(time.Hour)
	_, err = h.Resolve(ctx, billing.Resolution{RequestID: "r-1", Kind: billing.Hold, Case: id, Actor: "Grace", Reason: "Their bank is closed until Monday",
		Until: end.AddDate(0, 0, 3)})
	h.must(err)

	h.invoice("inv-evil", `<b>E-1</b>`, "evil", amount("USD 10"))
	_, _ = h.open("inv-evil")
	h.now = end
	h.deliver()
}

// suspend walks a case through its policy's dates to the suspension.
func (h *shop) suspend(id billing.CaseID) {
	h.t.Helper()
	ctx := context.Background()
	for range 40 {
		step, err := h.Review(ctx, id)
		h.must(err)
		h.deliver()
		switch step.Do {
		case dunning.DoWait:
			if step.Stage == dunning.StageSuspended {
				return
			}
			h.now = step.At
			continue
		case dunning.DoCharge:
			h.charge(id, step, noFunds)
			continue
		case dunning.DoFinalNotice:
			_, err = h.FinalNotice(ctx, id)
		case dunning.DoScheduleSuspension:
			_, err = h.ScheduleSuspension(ctx, id)
		case dunning.DoSuspend:
			_, err = h.Suspend(ctx, id)
		default:
			h.t.Fatalf("%s: next is %s", id, step.Do)
		}
		h.must(err)
	}
	h.t.Fatalf("%s was not suspended", id)
}

// deliver hands over every queued notice, as the dispatcher would.
func (h *shop) deliver() {
	h.t.Helper()
	h.exec(`update notices set state = 'sent', sent_at = now(), created_at = least(created_at, $1),
		subject = replace(initcap(replace(kind, '_', ' ')), 'Payment Failed', 'We could not collect your invoice') || ' for ' || coalesce(invoice_id, account_id),
		body = E'Hello,\n\nthe amount due of your invoice could not be collected.\n\nWe try again on Monday.\n\nRecoup' where state = 'queued'`, h.now)
}

// many opens count small cases of one account, for paging.
func (h *shop) many(count int) {
	h.t.Helper()
	h.account("many", "Many Small Invoices Ltd.", "Europe/London")
	for n := range count {
		id := fmt.Sprintf("many-%03d", n)
		h.invoice(id, "M-"+id, "many", money.New(int64(100+n), money.MustCurrency("GBP")))
		_, err := h.OpenCase(context.Background(), billing.InvoiceID(id))
		h.must(err)
	}
}
