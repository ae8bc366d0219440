package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestT1TimesThatTheClockStood(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 11, 2, h, 0, 0, 0, time.UTC) }
	shift := func(h int, hours int64, why string) clockShift { return clockShift{at(h), hours * 3600, why} }
	for name, c := range map[string]struct {
		shifts []clockShift
		want   []stand
	}{
		"a hold moves the clock ahead":        {[]clockShift{shift(1, 4, "held")}, []stand{{at(1), at(5)}}},
		"extended":                            {[]clockShift{shift(1, 4, "held"), shift(3, 5, "held")}, []stand{{at(1), at(10)}}},
		"released":                            {[]clockShift{shift(1, 4, "held"), shift(3, -2, "released")}, []stand{{at(1), at(3)}}},
		"a second hold":                       {[]clockShift{shift(1, 1, "held"), shift(6, 2, "held")}, []stand{{at(1), at(2)}, {at(6), at(8)}}},
		"lateness is counted when it is over": {[]clockShift{shift(9, 3, "we were late")}, []stand{{at(6), at(9)}}},
		"lateness does not end a hold": {[]clockShift{shift(1, 9, "held"), shift(6, 3, "we were late"), shift(7, -3, "released")},
			[]stand{{at(1), at(7)}, {at(3), at(6)}}},
	} {
		if diff := cmp.Diff(c.want, stands(c.shifts), cmp.AllowUnexported(stand{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
