package dunning

import (
	"fmt"
	"sort"
	"time"
)

// localDate is a day of a calendar, without a zone.
type localDate struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) localDate {
	y, m, d := t.Date()
	return localDate{y, m, d}
}

func parseDate(text string) (localDate, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return localDate{}, fmt.Errorf("date %q: want YYYY-MM-DD", text)
	}
	return dateOf(t), nil
}

// plus returns the date n days later.
func (d localDate) plus(n int) localDate {
	return dateOf(time.Date(d.year, d.month, d.day+n, 0, 0, 0, 0, time.UTC))
}

// at returns the date's wall time as if the zone were UTC: a number to compare wall times by.
func (d localDate) at(sinceMidnight time.Duration) int64 {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Unix() + int64(sinceMidnight/time.Second)
}

// wallOf returns an instant's wall time in its own location, on the scale of localDate.at.
func wallOf(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}

// stretch is a time in which a zone's offset doesn't change.
type stretch struct {
	start  int64 // Unix, inclusive
	end    int64 // Unix, exclusive
	offset int64 // seconds east of UTC
}

// stretchesAround returns the zone's stretches in which a wall time could fall: no offset was ever 16 h or more and no change of
// clocks ever more than 24 h, so 40 h on both sides hold every candidate and what surrounds it.
func stretchesAround(wall int64, loc *time.Location) []stretch {
	from, to := wall-40*3600, wall+40*3600
	var out []stretch
	for t := from; t < to; {
		at := time.Unix(t, 0).In(loc)
		_, offset := at.Zone()
		s := stretch{start: t, end: to, offset: int64(offset)}
		if _, end := at.ZoneBounds(); !end.IsZero() && end.Unix() < to {
			s.end = end.Unix()
		}
		out = append(out, s)
		t = s.end
	}
	return out
}

// instantsOf returns every instant at which a clock in loc shows the wall time: one, two where clocks went back, none where they
// skipped it. time.Date would return one of two or an unspecified neighbour instead.
func instantsOf(wall int64, loc *time.Location) []time.Time {
	var out []time.Time
	for _, s := range stretchesAround(wall, loc) {
		if u := wall - s.offset; u >= s.start && u < s.end {
			out = append(out, time.Unix(u, 0).In(loc))
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Before(out[j]) })
	return out
}

// firstFrom returns the first instant whose wall time is wall or, where clocks skipped it, the first one after the gap (T2).
func firstFrom(wall int64, loc *time.Location) time.Time {
	if exact := instantsOf(wall, loc); len(exact) > 0 {
		return exact[0]
	}
	for _, s := range stretchesAround(wall, loc) {
		if s.start+s.offset > wall {
			return time.Unix(s.start, 0).In(loc)
		}
	}
	return time.Unix(wall, 0).In(loc) // not reached: some stretch ends beyond every wall time
}

// endOf returns the instant after the last one of a local date: where clocks go back over midnight the day ends the second time.
func endOf(d localDate, loc *time.Location) time.Time {
	midnight := d.plus(1).at(0)
	all := stretchesAround(midnight, loc)
	for i := len(all) - 1; i >= 0; i-- {
		s := all[i]
		if s.start+s.offset >= midnight {
			continue // wholly after the day
		}
		if u := midnight - s.offset; u < s.end {
			return time.Unix(u, 0).In(loc)
		}
		return time.Unix(s.end, 0).In(loc)
	}
	return time.Unix(midnight, 0).In(loc) // not reached: 40 h before midnight is before midnight everywhere
}

// loadZone reads an IANA zone. "" and "Local" are refused: they would mean the server's own zone.
func loadZone(zone string) (*time.Location, error) {
	if zone == "" || zone == "Local" {
		return nil, fmt.Errorf("time zone %q: want an IANA name such as Europe/Berlin", zone)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: want an IANA name such as Europe/Berlin", zone)
	}
	return loc, nil
}
