package billing

import "time"

// GatewayEvent is a gateway's webhook after its signature was checked. It carries no truth: it says where to look again (faults.md B2).
type GatewayEvent struct {
	Gateway   string // name of the adapter, "stripe"
	ID        string // the gateway's; the same event may come many times, in any order
	Type      string // the gateway's own word
	About     EventAbout
	Attempt   AttemptID // from our metadata, or ""
	Reference string    // the gateway's id of the payment object, or ""
	At        time.Time
}

// EventAbout is what sort of news an event is: enough to know whether looking is worth while.
type EventAbout string

// The sorts of news.
const (
	EventProgress EventAbout = "progress" // nothing to look at yet: created, being processed
	EventOutcome  EventAbout = "outcome"  // the attempt ended without money, or waits for the customer
	EventCapture  EventAbout = "capture"  // money was taken
	EventReversal EventAbout = "reversal" // money was taken back by a bank or a dispute
	EventOther    EventAbout = "other"    // our own refunds, and whatever else is subscribed to
)

// IsMoney reports whether money moved: nobody may overlook such an event, even when no attempt of ours is known to it (faults.md B6).
func (a EventAbout) IsMoney() bool { return a == EventCapture || a == EventReversal }
