package chaos

import (
	"strings"
	"testing"
	"time"

	"recoup/audit"
	"recoup/billing"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func charge(id, invoice string, minor int64, status audit.ChargeStatus) audit.Charge {
	return audit.Charge{ID: id, Invoice: invoice, Attempt: "a-" + id, Minor: minor, Currency: "USD", Status: status, CreatedAt: noon}
}

// Each check says nothing of what is well, and finds what is wrong: one that can't fail is none.
func TestJudgementFindsWhatIsWrong(t *testing.T) {
	invoices := map[string]int64{"inv": 100}
	well := []audit.Charge{charge("1", "inv", 60, audit.ChargeSucceeded), charge("2", "inv", 40, audit.ChargeSucceeded), charge("3", "inv", 100, audit.ChargeReturned)}
	booked := facts{receipts: map[string]time.Time{"a-1": noon, "a-2": noon, "a-3": noon}, reversed: map[string]bool{"a-3": true}}
	suspended := suspension{Account: "acc", Invoice: "inv", At: noon.Add(time.Hour), DueMinor: 100, Active: true, Blocked: true}
	for name, c := range map[string]struct{ well, wrong []string }{
		"double charge": {doubleCharges(well, invoices), doubleCharges(append(well, charge("4", "inv", 60, audit.ChargeSucceeded)), invoices)},
		"lost receipt":  {lostReceipts(well, booked), lostReceipts(well, facts{receipts: map[string]time.Time{"a-1": noon, "a-3": noon}})},
		"lost reversal": {lostReversals(well, booked), lostReversals(well, facts{})},
		"suspended though paid": {
			wrongfulSuspensions(nil, facts{suspensions: []suspension{suspended}}),
			wrongfulSuspensions(well[:1], facts{suspensions: []suspension{suspended}}),
		},
		"suspended for nothing": {nil, wrongfulSuspensions(nil, facts{suspensions: []suspension{{Account: "acc", Invoice: "inv", At: noon}}})},
		"suspended for ever":    {nil, wrongfulSuspensions(nil, facts{suspensions: []suspension{{DueMinor: 1, Active: true}}})},
		"accepted decision lost": {
			wrongDecisions([]decision{{Resolution: resolution("r1"), said: accepted}}, map[string]string{"r1": "hold"}),
			wrongDecisions([]decision{{Resolution: resolution("r1"), said: accepted}}, nil),
		},
		"refused decision recorded": {
			wrongDecisions([]decision{{Resolution: resolution("r1"), said: refused}}, nil),
			wrongDecisions([]decision{{Resolution: resolution("r1"), said: refused}}, map[string]string{"r1": "hold"}),
		},
		"mail lost":     {wrongMails(map[string]int{"m": 1}, []sentMail{aMail("receipt", 1)}), wrongMails(nil, []sentMail{aMail("receipt", 1)})},
		"mail doubled":  {wrongMails(map[string]int{"m": 2}, []sentMail{aMail("final_notice", 2)}), wrongMails(map[string]int{"m": 2}, []sentMail{aMail("receipt", 2)})},
		"mail made up":  {nil, wrongMails(map[string]int{"m": 1}, nil)},
		"mail too much": {nil, wrongMails(map[string]int{"m": 3}, []sentMail{aMail("final_notice", 2)})},
	} {
		if len(c.well) != 0 || len(c.wrong) == 0 {
			t.Errorf("%s: of what is well it says %q, of what is wrong %q", name, c.well, c.wrong)
		}
	}
}

func resolution(id string) billing.Resolution {
	return billing.Resolution{RequestID: id, Kind: billing.Hold}
}

func aMail(kind string, tries int) sentMail {
	return sentMail{ID: "n", Kind: kind, State: "sent", MessageID: "<m>", Tries: tries}
}

// A death counts when the gateway had the money, the record was not there, and something was killed in between.
func TestDeathsAfterSuccessAreCounted(t *testing.T) {
	books := []audit.Charge{charge("1", "inv", 100, audit.ChargeSucceeded)}
	at := func(s int) *time.Time { x := noon.Add(time.Duration(s) * time.Second); return &x }
	worker := []kill{{kind: WorkerKilled, at: *at(1)}}
	postgres := []kill{{kind: PostgresKilled, at: *at(-1), until: *at(2)}}
	sentAgain := step{Attempt: "a-1", At: *at(-1), To: "sent", Next: at(90), NextTo: "sent"}
	answered := step{Attempt: "a-1", At: *at(-1), To: "sent", Next: at(2), NextTo: "succeeded"}
	lookedUp := step{Attempt: "a-1", At: *at(-1), To: "sent", Next: at(60), NextTo: "succeeded"}
	beforeIt := step{Attempt: "a-1", At: *at(5), To: "sent", Next: at(90), NextTo: "sent"}
	for name, c := range map[string]struct {
		step             step
		kills            []kill
		worker, postgres int
	}{
		"sent again after a kill":           {sentAgain, worker, 1, 0},
		"sent again after Postgres' end":    {sentAgain, postgres, 0, 1},
		"looked up long after a kill":       {lookedUp, worker, 1, 0},
		"sent again without any kill":       {sentAgain, nil, 0, 0},
		"answered at once beside a kill":    {answered, worker, 0, 0},
		"sent only after it had been taken": {beforeIt, worker, 0, 0},
	} {
		if d := deathsAfterSuccess([]step{c.step}, books, c.kills); len(d.Worker) != c.worker || len(d.Postgres) != c.postgres {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// A run in which a promised fault did not happen has failed, and says so in its last line.
func TestReportFailsWithoutItsFaults(t *testing.T) {
	all := map[Kind]int{}
	for _, g := range groups() {
		for _, k := range g.kinds {
			all[k] = 1
		}
	}
	report := func() *Report { return &Report{Done: all, Deaths: Deaths{Worker: []string{"a"}}} }
	if r := report(); !r.OK() || !strings.Contains(written(t, r), "chaos passed: seed 0") {
		t.Errorf("a run without a flaw failed:\n%s", written(t, r))
	}
	for _, g := range groups() {
		for _, k := range g.kinds {
			r := report()
			r.Done = map[Kind]int{}
			for other := range all {
				if other != k {
					r.Done[other] = 1
				}
			}
			if r.OK() || !strings.Contains(written(t, r), "PROMISED AND NOT DONE: "+string(k)) {
				t.Errorf("a run without %q passed", k)
			}
		}
	}
	r := report()
	r.Deaths = Deaths{}
	if r.OK() {
		t.Error("a run without a death after a success passed")
	}
	r = report()
	r.wrong("charged twice", "invoice x")
	if r.OK() || !strings.Contains(written(t, r), "chaos FAILED") || !strings.Contains(written(t, r), "invoice x") {
		t.Errorf("a double charge passed:\n%s", written(t, r))
	}
}

func written(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
