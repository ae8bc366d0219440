//go:build !canary_suspend_without_last_look && !canary_cancelled_timer_is_fired

package store

import "recoup/dunning"

// stillNext reports whether what a workflow asks for is what comes next now, by Postgres: it may have asked long ago, or twice (S2, D6).
func stillNext(next dunning.Step, do dunning.Do) bool { return next.Do == do }
