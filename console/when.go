package console

import (
	"fmt"
	"time"
)

// moment is an instant as a page shows it: local to the account, with its zone, and relative to now.
type moment struct {
	ISO      string // for the datetime attribute
	Text     string // "Mon 30 Nov, 09:00", with the year when it isn't this one
	Clock    string // "09:00:00"
	Zone     string // "CET"
	UTC      string // for the title
	Relative string // "in 3 days"
}

// IsZero reports whether there is no such instant.
func (m moment) IsZero() bool { return m.ISO == "" }

// moment makes one; seconds are shown when asked for, and always close to now, where they matter.
func (c *console) moment(at time.Time, zone string, seconds bool) moment {
	if at.IsZero() {
		return moment{}
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		loc = time.UTC
	}
	now := c.Now()
	local := at.In(loc)
	layout := "Mon 2 Jan 2006, 15:04"
	if local.Year() == now.In(loc).Year() {
		layout = "Mon 2 Jan, 15:04"
	}
	if seconds || at.Sub(now).Abs() < 10*time.Minute {
		layout += ":05"
	}
	return moment{
		ISO: at.UTC().Format(time.RFC3339Nano), Text: local.Format(layout), Clock: local.Format(time.TimeOnly), Zone: zoneName(local),
		UTC: at.UTC().Format("2006-01-02 15:04:05 UTC"), Relative: relative(at.Sub(now)),
	}
}

// zoneName is the abbreviation where the zone has one, else its offset: "CET", "UTC+08", "UTC+05:45".
func zoneName(local time.Time) string {
	name := local.Format("MST")
	if name != "" && (name[0] == '+' || name[0] == '-') {
		if len(name) == 5 {
			name = name[:3] + ":" + name[3:]
		}
		return "UTC" + name
	}
	return name
}

// relative says how far away an instant is, in the largest unit that fits. The script does the same to keep it true.
func relative(d time.Duration) string {
	text := span(d.Abs())
	switch {
	case text == "":
		return "now"
	case d < 0:
		return text + " ago"
	}
	return "in " + text
}

func span(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{365 * 24 * time.Hour, "year"}, {30 * 24 * time.Hour, "month"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	for _, u := range units {
		// A month is only named from two of them on: dunning counts in days.
		if u.name == "month" && d < 2*u.size {
			continue
		}
		if n := int64(d / u.size); n >= 1 {
			if n == 1 {
				return "1 " + u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return ""
}

// dayOf shows a local date such as "2026-11-30" for people; anything else as it is.
func dayOf(date string) string {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return d.Format("2 Jan 2006")
}
