package dunning

import (
	_ "embed"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests must not depend on the machine's zones

	"recoup/billing"
)

//go:embed testdata/zones.txt
var zonesFile string

func zoneNames() []string { return strings.Fields(zonesFile) }

func mustZone(t interface{ Fatal(...any) }, name string) *time.Location {
	loc, err := loadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func mustTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestT2DueIsTheEndOfTheLocalDay(t *testing.T) {
	cases := []struct{ date, zone, want, why string }{
		{"2026-11-30", "UTC", "2026-12-01T00:00:00Z", ""},
		{"2026-11-30", "Europe/Berlin", "2026-11-30T23:00:00Z", ""},
		{"2026-11-30", "America/Los_Angeles", "2026-12-01T08:00:00Z", ""},
		{"2026-11-30", "Asia/Kathmandu", "2026-11-30T18:15:00Z", "a quarter-hour zone"},
		{"2026-12-31", "Pacific/Kiritimati", "2026-12-31T10:00:00Z", "the first zone of the world"},
		{"2026-03-08", "America/New_York", "2026-03-09T04:00:00Z", "a day of 23 hours"},
		{"2026-11-01", "America/New_York", "2026-11-02T05:00:00Z", "a day of 25 hours"},
		{"2018-11-03", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "the next day starts at 01:00"},
		{"2018-02-17", "America/Sao_Paulo", "2018-02-18T03:00:00Z", "the hour before midnight comes twice"},
		{"2010-11-06", "America/St_Johns", "2010-11-07T03:30:00Z", "at 00:01 clocks went back into the day: it ends the second time"},
		{"2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z", "the date was skipped"},
		{"2028-02-29", "UTC", "2028-03-01T00:00:00Z", ""},
	}
	for _, c := range cases {
		got, err := DueAt(c.date, c.zone)
		if err != nil || !got.Equal(mustTime(t, c.want)) || got.Location() != time.UTC {
			t.Errorf("DueAt(%s, %s) = %v, %v; want %s %s", c.date, c.zone, got, err, c.want, c.why)
		}
	}
	for _, c := range [][2]string{{"2026-02-29", "UTC"}, {"2026-1-1", "UTC"}, {"", "UTC"}, {"2026-01-01T00:00:00Z", "UTC"},
		{"2026-01-01", ""}, {"2026-01-01", "Local"}, {"2026-01-01", "Mars/Olympus"}, {"2026-01-01", "../etc/passwd"}} {
		if got, err := DueAt(c[0], c[1]); err == nil {
			t.Errorf("DueAt(%q, %q) = %v, want an error", c[0], c[1], got)
		}
	}
}

// Every zone, around every change of its clocks in some years, against clocks read every half hour.
func TestT2EndOfDayInEveryZone(t *testing.T) {
	for _, zone := range zoneNames() {
		loc := mustZone(t, zone)
		for _, year := range []int{1995, 2010, 2011, 2018, 2026} {
			for _, change := range clockChanges(loc, year) {
				for off := -1; off <= 1; off++ {
					d := dateOf(change.In(loc)).plus(off)
					if got, want := endOf(d, loc), lastRead(d, loc); !got.Equal(want) {
						t.Errorf("%s: %v ends at %v, clocks read there say %v", zone, d, got, want)
					}
				}
			}
		}
	}
}

// clockChanges returns when a zone's clocks change in a year, and the year's middle.
func clockChanges(loc *time.Location, year int) []time.Time {
	out := []time.Time{time.Date(year, 7, 1, 12, 0, 0, 0, time.UTC)}
	for t := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); ; {
		_, end := t.In(loc).ZoneBounds()
		if end.IsZero() || end.Year() > year {
			return out
		}
		out = append(out, end)
		t = end
	}
}

// lastRead finds the end of a date by reading the clock: no change since 1990 goes back over midnight for less than half an hour.
func lastRead(d localDate, loc *time.Location) time.Time {
	noon := time.Date(d.year, d.month, d.day, 12, 0, 0, 0, time.UTC)
	last := noon.Add(-50 * time.Hour)
	for t := last; t.Before(noon.Add(50 * time.Hour)); t = t.Add(30 * time.Minute) {
		if wallOf(t.In(loc)) < d.plus(1).at(0) {
			last = t
		}
	}
	end := last.Add(time.Minute)
	for wallOf(end.In(loc)) < d.plus(1).at(0) {
		end = end.Add(time.Minute)
	}
	return end
}

func TestT2RoundsAtNineLocal(t *testing.T) {
	p, err := Find("standard", 1)
	if err != nil {
		t.Fatal(err)
	}
	// Day 4 and day 7 lie on both sides of New York's change to summer time on 8 March 2026.
	const inv = billing.InvoiceID("inv-1")
	j := jitter(inv)
	d, err := p.DatesFor(mustTime(t, "2026-03-01T14:05:00Z"), 0, "America/New_York", inv)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2026-03-01T14:05:00Z", "2026-03-05T14:00:00Z", "2026-03-08T13:00:00Z", "2026-03-12T13:00:00Z", "2026-03-16T13:00:00Z", "2026-03-21T13:00:00Z"}
	for i, w := range want {
		at := mustTime(t, w)
		if i > 0 {
			at = at.Add(j)
		}
		if !d.Rounds[i].Equal(at) {
			t.Errorf("round %d at %v, want %v", i, d.Rounds[i], at)
		}
	}
	for name, c := range map[string][2]time.Time{
		"final notice":      {d.FinalNotice, mustTime(t, "2026-03-28T13:00:00Z").Add(j)},
		"suspension notice": {d.SuspensionNotice, mustTime(t, "2026-03-30T13:00:00Z").Add(j)},
		"suspend":           {d.Suspend, mustTime(t, "2026-03-31T13:00:00Z").Add(j)},
		"close":             {d.Close, mustTime(t, "2026-04-30T13:00:00Z").Add(j)},
	} {
		if !c[0].Equal(c[1]) {
			t.Errorf("%s at %v, want %v", name, c[0], c[1])
		}
	}
}

func TestT2CollectingBeginsTheMorningAfterTheDueDate(t *testing.T) {
	p, _ := Find("standard", 1)
	demo, _ := Find("demo", 1)
	due, err := DueAt("2026-11-30", "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.CollectAt(due, "Europe/Berlin", "inv-1")
	if want := mustTime(t, "2026-12-01T08:00:00Z").Add(jitter("inv-1")); err != nil || !got.Equal(want) {
		t.Errorf("collect at %v, %v; want %v", got, err, want)
	}
	if got, err := demo.CollectAt(due, "Europe/Berlin", "inv-1"); err != nil || !got.Equal(due) {
		t.Errorf("in seconds: collect at %v, %v; want at once, %v", got, err, due)
	}
}

func TestT2MorningWhereClocksSkipIt(t *testing.T) {
	apia := mustZone(t, "Pacific/Apia")
	skipped := morningOf(localDate{2011, 12, 30}, apia, 0)
	if want := mustTime(t, "2011-12-30T19:00:00Z"); !skipped.Equal(want) { // 31 December, 09:00 at UTC+14
		t.Errorf("the skipped date's morning is %v, want the next date's %v", skipped, want)
	}
	// Clocks skip 02:00–03:00 and repeat 02:00–03:00 in Berlin.
	berlin := mustZone(t, "Europe/Berlin")
	if got, want := firstFrom(localDate{2026, 3, 29}.at(150*time.Minute), berlin), mustTime(t, "2026-03-29T01:00:00Z"); !got.Equal(want) {
		t.Errorf("02:30 in the gap is %v, want the first valid instant %v", got, want)
	}
	if got, want := firstFrom(localDate{2026, 10, 25}.at(150*time.Minute), berlin), mustTime(t, "2026-10-25T00:30:00Z"); !got.Equal(want) {
		t.Errorf("02:30 in the overlap is %v, want the first %v", got, want)
	}
}

func TestT2JitterIsEvenAndFixed(t *testing.T) {
	counts := map[time.Duration]int{}
	for i := range 60000 {
		id := billing.InvoiceID("inv-" + strings.Repeat("x", i%3) + time.Duration(i).String())
		j := jitter(id)
		if j != jitter(id) || j < 0 || j >= time.Hour || j%time.Minute != 0 {
			t.Fatalf("jitter of %s is %v", id, j)
		}
		counts[j]++
	}
	for m := range 60 {
		if n := counts[time.Duration(m)*time.Minute]; n < 800 || n > 1200 {
			t.Errorf("minute %d has %d of 60000 invoices, want about 1000", m, n)
		}
	}
	// Golden: recorded histories and promised dates depend on it.
	if got := jitter("inv-1"); got != 50*time.Minute {
		t.Errorf("jitter of inv-1 became %v, was 50m", got)
	}
}

func TestN4QuietHours(t *testing.T) {
	cases := []struct{ now, zone, want string }{
		{"2026-11-30T12:00:00Z", "UTC", ""},
		{"2026-11-30T08:00:00Z", "UTC", ""},
		{"2026-11-30T20:59:59Z", "UTC", ""},
		{"2026-11-30T07:59:59Z", "UTC", "2026-11-30T08:00:00Z"},
		{"2026-11-30T21:00:00Z", "UTC", "2026-12-01T08:00:00Z"},
		{"2026-03-28T22:00:00Z", "Europe/Berlin", "2026-03-29T06:00:00Z"}, // the night clocks went forward
		{"2026-10-24T21:00:00Z", "Europe/Berlin", "2026-10-25T07:00:00Z"}, // the night they went back
	}
	for _, c := range cases {
		var want time.Time
		if c.want != "" {
			want = mustTime(t, c.want)
		}
		got, err := QuietUntil(mustTime(t, c.now), c.zone)
		if err != nil || !got.Equal(want) {
			t.Errorf("QuietUntil(%s, %s) = %v, %v; want %v", c.now, c.zone, got, err, want)
		}
	}
	demo, _ := Find("demo", 1)
	if got, err := demo.QuietUntil(mustTime(t, "2026-11-30T03:00:00Z"), "UTC"); err != nil || !got.IsZero() {
		t.Errorf("a policy in seconds waits until %v, %v", got, err)
	}
}

func TestDatesForRefusesNonsense(t *testing.T) {
	p, _ := Find("standard", 1)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := p.DatesFor(start, -time.Second, "UTC", "i"); err == nil {
		t.Error("a negative shift was taken")
	}
	if _, err := p.DatesFor(start, 20*366*24*time.Hour, "UTC", "i"); err == nil {
		t.Error("a shift of 20 years was taken")
	}
	if _, err := p.DatesFor(start, 0, "Nowhere", "i"); err == nil {
		t.Error("an unknown zone was taken")
	}
	if _, err := (Policy{Unit: "week"}).DatesFor(start, 0, "UTC", "i"); err == nil {
		t.Error("an unknown unit was taken")
	}
	short := Policy{Unit: UnitDay, Rounds: []int{0}, FinalNotice: 5}
	d, err := short.DatesFor(start, 0, "UTC", "i")
	if err != nil || !d.Suspend.IsZero() || !d.Close.IsZero() || d.FinalNotice.IsZero() {
		t.Errorf("a policy without suspension has the dates %+v, %v", d, err)
	}
}
