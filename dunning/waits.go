package dunning

import "recoup/billing"

// WaitsFor is whom or what a case waits for, as operators filter by it in the Temporal UI.
type WaitsFor string

// What a case can wait for.
const (
	WaitsForNothing  WaitsFor = ""         // it is at work, or finished
	WaitsForPerson   WaitsFor = "person"   // a verdict, a parked case, a dispute
	WaitsForGateway  WaitsFor = "gateway"  // to tell what became of an attempt that was never answered (U1)
	WaitsForBank     WaitsFor = "bank"     // to settle (U3)
	WaitsForCustomer WaitsFor = "customer" // to authenticate (U3)
	WaitsForUs       WaitsFor = "us"       // charging was stopped, or our outage (T1)
	WaitsForDate     WaitsFor = "date"     // of the policy, or the end of a hold
	WaitsForMoney    WaitsFor = "money"    // no date is left: money, or a decision, ends it
)

// WaitsFor returns whom or what the step waits for.
func (s Step) WaitsFor() WaitsFor {
	switch {
	case s.Do != DoWait:
		return WaitsForNothing
	case s.Attempt != "":
		return s.waitsForAttempt()
	case s.Paused && s.At.IsZero() || s.Person:
		return WaitsForPerson
	case s.Paused:
		return WaitsForUs
	case !s.At.IsZero():
		return WaitsForDate
	}
	return WaitsForMoney
}

func (s Step) waitsForAttempt() WaitsFor {
	switch {
	case s.At.IsZero():
		return WaitsForPerson
	case s.AttemptState == billing.AttemptPending:
		return WaitsForBank
	case s.AttemptState == billing.AttemptActionRequired:
		return WaitsForCustomer
	case s.AttemptState == billing.AttemptIntent:
		return WaitsForUs
	}
	return WaitsForGateway
}
