package dunning

import (
	"time"

	"recoup/billing"
	"recoup/money"
)

// Do is what a case does next.
type Do string

// What a case can do next. begin_round, end_round and carry_out happen inside a transaction of the store and never reach the workflow.
const (
	DoWait               Do = "wait"                // until Step.At or a message
	DoBeginRound         Do = "begin_round"         // read the methods' order and open a round
	DoCharge             Do = "charge"              // one attempt on Step.Method
	DoLookUp             Do = "look_up"             // ask the gateway what became of Step.Attempt
	DoCancel             Do = "cancel"              // make sure Step.Attempt can no longer succeed; its deadline has passed
	DoEndRound           Do = "end_round"           // no candidate left: tell the customer
	DoFinalNotice        Do = "final_notice"        // automatic attempts end
	DoScheduleSuspension Do = "schedule_suspension" // last reminder
	DoSuspend            Do = "suspend"             // the guarded statement S2
	DoCloseAccount       Do = "close_account"       //
	DoCarryOut           Do = "carry_out"           // void or write off, as a person decided while an attempt was open; in the store only
	DoFinish             Do = "finish"              // nothing left to collect
)

// Charges is what DoCharge charges: what is due less what is disputed.
func (s Step) Charges() money.Amount { return Facts{Due: s.Due, Disputed: s.Disputed}.Collectable() }

// Step is the answer to "what comes next?". It is stored with the case, shown to operators and customers, and recorded in histories:
// ids, amounts and codes only (I18).
type Step struct {
	Do Do `json:"do"`
	// At is when a wait ends; zero: only a message ends it.
	At time.Time `json:"at,omitzero"`
	// Then is what will happen at At, and Why says in a few plain words what is waited for.
	Then Do     `json:"then,omitempty"`
	Why  string `json:"why"`
	// Stage, Due and Round describe the case after the step that answered.
	Stage Stage        `json:"stage"`
	Due   money.Amount `json:"due"`
	Round int          `json:"round,omitempty"`
	Held  bool         `json:"held,omitempty"`
	// Disputed is the part of Due that isn't collected now.
	Disputed money.Amount `json:"disputed,omitzero"`
	// Paused: we keep the case from going on, so its stage clock stands (T1).
	Paused bool `json:"paused,omitempty"`
	// Method, Gateway, Masked and Position name what DoCharge charges; Attempt what DoLookUp asks for,
	// DoCancel cancels or DoCharge resumes.
	Method   billing.MethodID  `json:"method,omitempty"`
	Gateway  string            `json:"gateway,omitempty"`
	Masked   string            `json:"masked,omitempty"` // "visa ···4242"
	Position int               `json:"position,omitempty"`
	Attempt  billing.AttemptID `json:"attempt,omitempty"`
	// AttemptState is the open attempt's, when there is one.
	AttemptState billing.AttemptState `json:"attempt_state,omitempty"`
	// Person: only a person ends what is waited for, whatever dates there are besides.
	Person bool `json:"person,omitempty"`
	// Outcome is why the case finished: paid, void or written_off.
	Outcome billing.InvoiceState `json:"outcome,omitempty"`
}
