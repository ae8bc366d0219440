package chaos

import "recoup/gateway/stripesim"

// Kind is something that is done to the running system.
type Kind string

// What is done to processes.
const (
	WorkerKilled   Kind = "worker killed -9"
	WebhooksKilled Kind = "webhooks killed -9"
	ConsoleKilled  Kind = "console killed -9"
	PostgresKilled Kind = "Postgres killed -9"
)

// What is done to the workflow of a live case, through Temporal's own API.
const (
	WorkflowReset      Kind = "workflow reset"
	WorkflowTerminated Kind = "workflow terminated"
	WorkflowCancelled  Kind = "workflow cancelled"
)

// What happens at the gateway after a payment was accepted.
const (
	Disputed          Kind = "payment disputed"
	Returned          Kind = "bank debit returned"
	CustomerConfirmed Kind = "customer confirmed"
	CustomerRefused   Kind = "customer refused"
)

// What happens to mails.
const (
	MailDown       Kind = "mail server down"
	MailCut        Kind = "mail cut off before it was taken"
	MailAnswerLost Kind = "mail taken, answer lost"
	MailRefused    Kind = "mail refused for good"
	MailDeferred   Kind = "mail refused for now"
)

// What people do.
const (
	ChargingStopped Kind = "charging stopped and started"
	StaffPaid       Kind = "paid_out_of_band"
	StaffHold       Kind = "hold"
	StaffRelease    Kind = "release"
	StaffRetry      Kind = "retry_now"
	StaffVerdict    Kind = "resolve_unknown"
	Imported        Kind = "file imported"
	MethodAdded     Kind = "payment method added"
	FundsArrived    Kind = "funds arrived"
)

// GatewayDown is an outage of the gateway: every call fails for some seconds.
const GatewayDown Kind = "gateway down"

// gatewayFaults are scripted for the next charges; the gateway counts those that did happen.
var gatewayFaults = []stripesim.Fault{
	stripesim.TimeoutBefore, stripesim.TimeoutAfter, stripesim.LateEffect,
	stripesim.Error500Before, stripesim.Error500After, stripesim.Error500Stored, stripesim.Error500StoredPaid, stripesim.Error503Before,
	stripesim.Slow, stripesim.ResetBefore, stripesim.Reset,
	stripesim.Malformed, stripesim.MalformedHTML, stripesim.MalformedEnum, stripesim.MalformedType, stripesim.MalformedEmpty, stripesim.HugeBody,
	stripesim.RateLimited429, stripesim.Conflict409, stripesim.Unauthorized401,
}

// lookUpFaults are scripted for the next search; what it misses the list of payments knows, as at Stripe.
var lookUpFaults = []stripesim.Fault{stripesim.LookupMiss}

var webhookFaults = []stripesim.Fault{
	stripesim.WebhookLost, stripesim.WebhookDuplicate, stripesim.WebhookForged, stripesim.WebhookOld, stripesim.WebhookDelayed,
}

// ofGateway is the kind of a fault that the simulated gateway injects.
func ofGateway(f stripesim.Fault) Kind { return Kind("gateway " + string(f)) }

// group is a heading of the report with the kinds below it.
type group struct {
	name  string
	kinds []Kind
}

// groups are all kinds in the order of the report. Each is promised: a run in which one did not happen has proved nothing about it.
func groups() []group {
	var calls, hooks []Kind
	for _, f := range append(append([]stripesim.Fault{}, gatewayFaults...), lookUpFaults...) {
		calls = append(calls, ofGateway(f))
	}
	for _, f := range webhookFaults {
		hooks = append(hooks, ofGateway(f))
	}
	return []group{
		{"Processes", []Kind{WorkerKilled, PostgresKilled, WebhooksKilled, ConsoleKilled}},
		{"Gateway calls", append(calls, GatewayDown)},
		{"Gateway webhooks", hooks},
		{"Later at the gateway", []Kind{Disputed, Returned, CustomerConfirmed, CustomerRefused}},
		{"Workflows", []Kind{WorkflowReset, WorkflowTerminated, WorkflowCancelled}},
		{"Mail", []Kind{MailDown, MailCut, MailAnswerLost, MailRefused, MailDeferred}},
		{"People", []Kind{StaffPaid, StaffHold, StaffRelease, StaffRetry, StaffVerdict, ChargingStopped, Imported, MethodAdded, FundsArrived}},
	}
}
