package dunning

import "time"

// AnyGateway is the gateway of a stop that covers all of them.
const AnyGateway = "*"

// ChargingStop is a person's order to charge nothing at a gateway: the kill switch (faults.md R13, J5). A charge that it keeps back is
// neither a decline nor an outage of the customer's: no other method is tried (PM3), nothing escalates, and the stage clock stands (T1).
type ChargingStop struct {
	Gateway string    `json:"gateway"` // or AnyGateway
	By      string    `json:"by"`      // who gave the order; a name of our staff's, never an address (I18)
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
}

// lookAgain is how soon a case that a stop keeps back is re-read though nothing woke it.
const lookAgain = 6 * time.Hour

// stopOf returns the stop that covers a gateway, or nil.
func (f Facts) stopOf(gateway string) *ChargingStop {
	for i, stop := range f.Stops {
		if stop.Gateway == gateway || stop.Gateway == AnyGateway {
			return &f.Stops[i]
		}
	}
	return nil
}

// Stopped reports whether charging is stopped at a gateway.
func (f Facts) Stopped(gateway string) bool { return f.stopOf(gateway) != nil }

// untilChargingStarts waits for a stop to end. The step names the charge that is kept back.
func (f Facts) untilChargingStarts(s Step, c Candidate, stop *ChargingStop) Step {
	s.Do, s.At, s.Then, s.Paused = DoWait, f.Now.Add(lookAgain), DoCharge, true
	s.Method, s.Gateway, s.Masked, s.Position = c.Method, c.Gateway, c.Masked, c.Position
	s.Why = "the end of a stop: charging is stopped by " + stop.By
	return s
}
