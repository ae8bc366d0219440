package billing

import "time"

// Standing is where an account stands (S1).
type Standing string

// The standings of an account.
const (
	StandingActive    Standing = "active"
	StandingSuspended Standing = "suspended"
	StandingClosed    Standing = "closed"
)

// Account is the customer.
type Account struct {
	ID            AccountID
	Name          string
	ParentID      AccountID // the organisation's owning account, or ""
	TimeZone      string    // IANA name, "Europe/Berlin"; dates of this account are local to it (T2)
	Locale        string    // BCP 47, "de-DE"
	Country       string    // ISO 3166 alpha-2, or ""
	Plan          string    // tag of the customer's plan, or ""; rules that choose policies go by it
	Policy        string    // the policy that its import named for new cases, or "": rules decide
	CreditSharing bool      // credits of this account also serve others of its organisation (CR4)
	Standing      Standing
	Generation    int64 // counts every change of standing; fences late calls (S3)
	// NeverSuspendUntil: a person keeps it from being suspended until then; zero when nobody does. HeldUntil, HoldScopes and
	// HoldExtended are a hold on all of its cases.
	NeverSuspendUntil time.Time
	HeldUntil         time.Time
	HoldScopes        []string
	HoldExtended      bool
	// BackupsOff: the customer wants rounds to try the primary method alone.
	BackupsOff bool
	CreatedAt  time.Time
}

// Contact is a person who gets an account's mail, in order of position; the next one is used when the first can't be reached (N5).
type Contact struct {
	AccountID AccountID
	Position  int
	Name      string
	Email     string
}
