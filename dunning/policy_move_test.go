package dunning

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var moveStart = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func onDay(n int) time.Time { return moveStart.Add(time.Duration(n)*24*time.Hour + time.Hour) }

// with returns a policy of other steps.
func with(p Policy, final, notice, suspend, closing int, rounds ...int) Policy {
	p = p.clone()
	p.Version, p.Rounds, p.FinalNotice, p.SuspensionNotice, p.Suspend, p.Close = 2, rounds, final, notice, suspend, closing
	return p
}

func TestT1MoveNeverTakesTimeThatANoticeGives(t *testing.T) {
	standard := mustFind(t, "standard")
	fast := mustFind(t, "fast")
	slow := with(standard, 40, 44, 50, 80, 0, 10, 20)
	cases := []struct {
		name    string
		day     int
		stage   Stage
		rounds  int
		to      Policy
		refused string
		want    int // rounds that count as begun
	}{
		{"to later dates", 8, StageRetrying, 3, slow, "", 1},
		{"to earlier dates, the final notice still ahead", 8, StageRetrying, 3, fast, "", 5},
		{"on the final notice's last hour ahead", 11, StageRetrying, 4, fast, "", 6},
		{"past the new final notice", 12, StageRetrying, 4, fast, "its final notice would have been on 2026-11-14", 6},
		{"past it, without a suspension to come", 12, StageRetrying, 4, with(standard, 10, 0, 0, 0, 0, 2), "", 2},
		{"told the date, to later ones", 28, StageFinalNotice, 6, slow, "", 3},
		{"told the date, to nearer ones", 28, StageFinalNotice, 6, with(standard, 20, 28, 29, 60, 0), "last reminder would have been on 2026-11-30", 1},
		{"told the date, reminder ahead, nearer", 25, StageFinalNotice, 6, with(standard, 20, 26, 29, 60, 0), "would come on 2026-12-01T09", 1},
		{"reminded, nearer", 29, StageSuspensionScheduled, 6, with(standard, 20, 21, 29, 60, 0), "the customer was told 2026-12-02T09", 1},
		{"reminded, later", 29, StageSuspensionScheduled, 6, slow, "", 3},
		{"reminded of none", 29, StageSuspensionScheduled, 6, with(standard, 20, 21, 30, 0, 0), "", 1},
		{"suspended, closed sooner", 31, StageSuspended, 6, fast, "would be closed on", 6},
		{"suspended, closed later", 31, StageSuspended, 6, slow, "", 3},
		{"finished", 31, StageFinished, 6, slow, "the case is finished", 3},
		{"days to seconds", 1, StageRetrying, 1, mustFind(t, "demo"), "counts in days", 0},
		{"a round that a hold keeps back stays owed", 8, StageCollecting, 0, slow, "", 0},
	}
	for _, c := range cases {
		from := MoveFrom{Now: onDay(c.day), Policy: standard, Stage: c.stage, Start: moveStart, Zone: "UTC", ScheduledRounds: c.rounds}
		m, err := PreviewMove(from, c.to)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if c.refused == "" && m.Refused != "" || !strings.Contains(m.Refused, c.refused) {
			t.Errorf("%s: refused %q, want %q", c.name, m.Refused, c.refused)
		}
		if m.ScheduledRounds != c.want && c.to.Unit == UnitDay {
			t.Errorf("%s: %d rounds count as begun, want %d", c.name, m.ScheduledRounds, c.want)
		}
	}
}

func TestMoveShowsTheChangedDates(t *testing.T) {
	standard := mustFind(t, "standard")
	m, err := PreviewMove(MoveFrom{Now: onDay(8), Policy: standard, Stage: StageRetrying, Start: moveStart, Zone: "UTC", ScheduledRounds: 3},
		with(standard, 29, 31, 32, 0, 0, 10, 20))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range m.Next {
		day := func(at time.Time) string {
			if at.IsZero() {
				return "-"
			}
			return at.Format("0102")
		}
		got = append(got, string(d.Do)+" "+day(d.Was)+" "+day(d.Is))
	}
	want := "begin_round 1106 1112,begin_round 1109 1122,begin_round 1113 -,begin_round 1117 -,begin_round 1122 -,final_notice 1129 1201," +
		"schedule_suspension 1201 1203,suspend 1202 1204,close_account 0101 -"
	if strings.Join(got, ",") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ","), want)
	}
}

// TestT1MoveLeavesTheInterval: whatever the policies, the moment and the stage, a move that is allowed leaves the new policy's interval from
// every notice still to come to the suspension, and never brings nearer what a notice told.
func TestT1MoveLeavesTheInterval(t *testing.T) {
	allowed := 0
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		policy := func(name string) Policy {
			step := func(from int, name string) int { return from + rapid.IntRange(1, 20).Draw(t, name) }
			second := step(0, name+" round")
			final := step(second, name+" final")
			notice := step(final, name+" notice")
			suspend := step(notice, name+" suspend")
			return with(standardPolicy(), final, notice, suspend, step(suspend, name+" close"), 0, second)
		}
		from, to := policy("from"), policy("to")
		stage := rapid.SampledFrom(Stages()[:5]).Draw(t, "stage")
		now := d.at.Add(time.Duration(rapid.IntRange(0, 90*24).Draw(t, "hours")) * time.Hour)
		m, err := PreviewMove(MoveFrom{Now: now, Policy: from, Stage: stage, Start: d.at, Shift: d.shift, Zone: d.zone, Invoice: d.invoice,
			ScheduledRounds: rapid.IntRange(0, 2).Draw(t, "rounds")}, to)
		if err != nil {
			t.Fatal(err)
		}
		if m.ScheduledRounds < 0 || m.ScheduledRounds > len(to.Rounds) {
			t.Fatalf("%d of %d rounds", m.ScheduledRounds, len(to.Rounds))
		}
		if m.Refused != "" {
			return
		}
		allowed++
		left := m.Is.Suspend.Sub(now)
		switch stage {
		case StageCollecting, StageRetrying:
			if full := m.Is.Suspend.Sub(m.Is.FinalNotice); left < full {
				t.Fatalf("%s left, the policy gives %s", left, full)
			}
		case StageFinalNotice:
			if full := m.Is.Suspend.Sub(m.Is.SuspensionNotice); left < full || m.Is.Suspend.Before(m.Was.Suspend) {
				t.Fatalf("%s left, the policy gives %s", left, full)
			}
		case StageSuspensionScheduled:
			if m.Is.Suspend.Before(m.Was.Suspend) {
				t.Fatalf("suspended %s, told %s", m.Is.Suspend, m.Was.Suspend)
			}
		case StageSuspended:
			if m.Is.Close.Before(m.Was.Close) {
				t.Fatalf("closed %s instead of %s", m.Is.Close, m.Was.Close)
			}
		case StageFinished:
			t.Fatal("a finished case moves")
		}
	})
	if allowed == 0 {
		t.Error("no move was allowed: the property says nothing")
	}
}

func standardPolicy() Policy {
	p, err := Find("standard", 1)
	if err != nil {
		panic(err)
	}
	return p
}
