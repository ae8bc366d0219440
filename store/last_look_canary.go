//go:build canary_suspend_without_last_look || canary_cancelled_timer_is_fired

package store

import "recoup/dunning"

// Believed in review: the workflow would not ask if it were not time.
func stillNext(dunning.Step, dunning.Do) bool { return true }
