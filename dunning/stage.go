// Package dunning owns how a case goes: the classes of declines, the policies and their dates, the stages of a case, and the one
// decision "what comes next" (Decide). It is pure: facts in, a step out; no I/O, no clock, no globals.
package dunning

import "fmt"

// Stage is where a case stands (rules.md §0).
type Stage string

// The stages of a case, in order.
const (
	StageCollecting          Stage = "collecting"
	StageRetrying            Stage = "retrying"
	StageFinalNotice         Stage = "final_notice"
	StageSuspensionScheduled Stage = "suspension_scheduled"
	StageSuspended           Stage = "suspended"
	StageFinished            Stage = "finished"
)

// Stages lists all stages in order.
var stageOrder = []Stage{
	StageCollecting, StageRetrying, StageFinalNotice, StageSuspensionScheduled, StageSuspended, StageFinished,
}

// Stages returns all stages in order.
func Stages() []Stage { return append([]Stage(nil), stageOrder...) }

// CanBecome reports whether from → to is an edge of the published state machine (I14): one stage forward, or finished from any.
// A stage never moves back; a reversal opens a new case (U5).
func (s Stage) CanBecome(to Stage) bool {
	if s == StageFinished {
		return false
	}
	if to == StageFinished {
		return true
	}
	for i, v := range stageOrder {
		if v == s {
			return i+1 < len(stageOrder) && stageOrder[i+1] == to
		}
	}
	return false
}

// Rank returns the stage's place in the order, from 0; an unknown stage is an error.
func (s Stage) Rank() (int, error) {
	for i, v := range stageOrder {
		if v == s {
			return i, nil
		}
	}
	return 0, fmt.Errorf("dunning: unknown stage %q", string(s))
}
