package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"recoup/dunning"
)

// TestT2PreviewIsWhatACaseDoes: the standard policy, previewed and then played to the closed account across a change of clocks: every round,
// notice and change of standing comes when the preview says.
func TestT2PreviewIsWhatACaseDoes(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no)
	start := time.Date(2026, 10, 13, 7, 30, 0, 0, time.UTC) // 09:30 in Berlin, whose clocks go back on 25 October
	p.env.SetStartTime(start)
	p.exec(`update accounts set time_zone = 'Europe/Berlin'`)
	p.exec(`update invoices set collect_at = $1, due_date = '2026-10-12'`, start)
	p.after(62*day, func() { p.resolve(t, paid("r-1", 4900)) })
	explained, err := p.store.ExplainPolicy(context.Background(), "inv-1")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := p.store.PolicyOf(context.Background(), explained.Now.Policy, explained.Now.Version)
	if err != nil {
		t.Fatal(err)
	}
	preview, err := policy.Preview(dunning.PreviewInput{DueDate: "2026-10-12", Zone: "Europe/Berlin", Invoice: "inv-1", Amount: explained.Invoice.Total, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	p.run()
	var want []string
	for _, s := range preview.Steps {
		at := s.At.UTC().Format(time.RFC3339)
		switch s.Do {
		case dunning.DoBeginRound:
			want = append(want, at+" round_began")
		case dunning.DoSuspend:
			want = append(want, at+" standing suspended")
		case dunning.DoCloseAccount:
			want = append(want, at+" standing closed")
		}
		if s.Notice != "" {
			want = append(want, s.NoticeAt.UTC().Format(time.RFC3339)+" told "+string(s.Notice))
		}
	}
	const did = `select array_agg(to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z" ') || what order by at, what) from (
		select at, case kind when 'standing' then 'standing ' || (data->>'standing') else kind end as what from case_events
			where kind = 'round_began' or kind = 'standing' and data->>'standing' in ('suspended', 'closed')
		union all select send_after, 'told ' || kind from notices where channel = 'email' and kind not in ('receipt', 'reinstated')) x`
	got := read[[]string](p, did)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("played\n%v\npreviewed\n%v", got, want)
	}
	if len(want) < 16 {
		t.Errorf("only %d things to compare", len(want))
	}
}
