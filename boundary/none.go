//go:build !crash

package boundary

import "time"

// At is where a process may die while it works on an account, an invoice or a case. It does nothing in this build.
func At[ID ~string](Label, ID) {}

// Patience is how long others wait for a process that may be dead: d in this build.
func Patience(d time.Duration) time.Duration { return d }
