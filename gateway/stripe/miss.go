//go:build !canary_miss_is_negative

package stripe

import "time"

// tooEarly reports that a miss proves nothing yet: what was sent may still be on its way, and search lags (faults.md A19).
func (a *Adapter) tooEarly(lastSent time.Time) bool { return a.now().Sub(lastSent) < a.cfg.LookUpLag }
