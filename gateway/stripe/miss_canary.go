//go:build canary_miss_is_negative

package stripe

import "time"

// Believed in review: the list is consistent, so what it does not hold does not exist.
func (a *Adapter) tooEarly(time.Time) bool { return false }
