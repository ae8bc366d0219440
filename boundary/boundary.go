// Package boundary names the points between two committed facts, or between a fact and what happens outside because of it, at which a
// process may die. Crash tests let it die there: with build tag crash a process started with RECOUP_CRASH_DIR ends, at once and without
// a word, at the label armed for what it works on. In every other build [At] is nothing at all.
//
// It owns the labels and what is true at each. It knows no facts: whoever calls it stands between them.
package boundary

// Label is one boundary.
type Label string

// The boundaries. Their sentences are in [Labels].
const (
	BeforeIntent  Label = "before intent"
	AfterIntent   Label = "after intent"
	BeforeSend    Label = "before send"
	AfterAnswer   Label = "after answer"
	AfterOutcome  Label = "after outcome commit"
	AfterReceipt  Label = "after receipt"
	BeforeLookUp  Label = "before look-up"
	AfterLookUp   Label = "after look-up"
	BeforeCancel  Label = "before cancel"
	AfterCancel   Label = "after cancel"
	AfterReview   Label = "after review"
	AfterFinal    Label = "after final notice"
	AfterSchedule Label = "after suspension scheduled"
	AfterSuspend  Label = "after suspended"
	AfterClose    Label = "after account closed"
	AfterOpen     Label = "after case opened"
	AfterStart    Label = "after workflow started"
	AfterResolve  Label = "after resolution"
	BeforePoke    Label = "before poke"
	AfterPoke     Label = "after poke"
	BeforeMail    Label = "before mail"
	AfterMail     Label = "after mail"
	AfterSent     Label = "after send record"
	AfterConsole  Label = "after console notice"
	BeforeHook    Label = "before suspension call"
	AfterHook     Label = "after suspension call"
	AfterAccepted Label = "after suspension call recorded"
	BeforeEvent   Label = "before webhook stored"
	AfterEvent    Label = "after webhook stored"
	BeforeReverse Label = "before reversal"
	AfterReverse  Label = "after reversal"
	AfterImport   Label = "after import"
	AfterMismatch Label = "after mismatch"
)

// Described is a label with what is committed when a process dies there, and who goes on from it.
type Described struct {
	Label     Label
	Committed string
	Then      string
}

// Labels lists every boundary, in the order of a case's life.
func Labels() []Described {
	return []Described{
		{AfterImport, "the file's objects and its digest", "the person gives the command again: it was imported before"},
		{AfterOpen, "the case's row; no workflow runs", "the next scan finds the case and starts its workflow"},
		{AfterStart, "the case's row; its workflow runs, and the row does not say so", "the next scan starts it again, which one that runs refuses"},
		{AfterReview, "credits and funds applied, what comes next; the workflow has not heard", "the review runs again and finds nothing more to apply"},
		{BeforeIntent, "a round, and nothing of this attempt", "the charge begins anew"},
		{AfterIntent, "the attempt, not sent", "the charge finds it, takes the last look again and sends it"},
		{BeforeSend, "the attempt, stamped as sent; the gateway was not called", "the same key is sent: sent or not, one charge comes of it"},
		{AfterAnswer, "the attempt, stamped as sent; the gateway has decided and its answer is lost", "the same key is sent: the gateway tells what became of it"},
		{AfterOutcome, "the attempt's outcome with all that follows; the workflow has not heard", "the charge runs again, finds no open attempt and says what comes next"},
		{AfterReceipt, "money booked, invoice allocated, receipt queued; the workflow has not heard", "the same; a receipt is booked once per attempt"},
		{BeforeLookUp, "an attempt whose outcome is not final", "the look-up runs again"},
		{AfterLookUp, "the same; the gateway's word is lost", "the look-up asks again"},
		{BeforeCancel, "an attempt whose time is up", "the cancellation runs again"},
		{AfterCancel, "the same; the gateway cancelled it or told that it was too late", "cancelled again, it tells the same"},
		{AfterResolve, "a person's decision with all that follows; neither the person nor the workflow has heard", "the same request id returns the first answer; the poke was written with it"},
		{BeforePoke, "a poke not delivered", "the poke is read again"},
		{AfterPoke, "a poke that the workflow got, not forgotten", "it is delivered twice: one re-read more"},
		{AfterFinal, "final notice queued, stage moved; the workflow has not heard", "it runs again and finds its step done"},
		{AfterSchedule, "notice of suspension queued, stage moved; the workflow has not heard", "the same"},
		{AfterSuspend, "the account suspended, call and notice queued; the workflow has not heard", "the same"},
		{AfterClose, "the account closed, task opened; the workflow has not heard", "the same"},
		{BeforeMail, "the send record says that it is being sent; nothing was handed over", "in doubt: sent again if it must arrive, else left with a word about the doubt"},
		{AfterMail, "the same; the server has taken the mail", "the same: a mail that must arrive comes twice, under one Message-ID"},
		{AfterSent, "the send record says sent", "nothing is left to do"},
		{AfterConsole, "the notice is shown in the console", "nothing is left to do"},
		{BeforeHook, "a suspension call claimed and not made", "made when the claim has run out"},
		{AfterHook, "the same; the user's service has accepted it", "made again with the same generation, which changes nothing there"},
		{AfterAccepted, "the call is recorded as accepted", "nothing is left to do"},
		{BeforeEvent, "nothing; the webhook's signature was checked", "the gateway got no answer and sends it again"},
		{AfterEvent, "the event stored and its attempt's look-up brought forward; the gateway got no answer", "the gateway sends it again: a copy changes nothing"},
		{BeforeReverse, "a question to the gateway, which says that money was taken back", "the question is asked again"},
		{AfterReverse, "the reversal booked, the invoice open, a new case; the question not ticked off", "asked again: one reversal is booked once"},
		{AfterMismatch, "a task about what gateway and ledger differ in", "the comparison runs again and raises nothing twice"},
	}
}
