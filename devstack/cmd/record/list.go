package main

import (
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
)

// list is the README of the histories: what each of them is good for, and how many different courses there are.
type list struct {
	rows    []string
	courses map[string]bool
}

func (l *list) add(id string, h *history.History) {
	if l.courses == nil {
		l.courses = map[string]bool{}
	}
	c := course(h)
	l.courses[strings.Join(c, " ")] = true
	why := "the sample story"
	for _, s := range append(scenes, stopped) {
		if strings.HasPrefix(id, "inv-scene-"+s.name) {
			why = s.why
		}
	}
	l.rows = append(l.rows, fmt.Sprintf("| [%s](%s) | %d | %s | %s |", id, fileOf(id), len(h.Events), why, counted(c)))
}

func (l *list) text() string {
	return fmt.Sprintf(`# Recorded histories

%d histories of real runs of cases, of %d different courses. TestReplay plays each of them against the workflow code: running cases could not
follow a change that fails there. `+"`make record`"+` writes this folder anew; nobody edits it.

| Case | Events | Story | Course |
|---|---|---|---|
%s
`, len(l.rows), len(l.courses), strings.Join(l.rows, "\n"))
}

// course is what a run did and what came to it, in order; dates, amounts and ids left out.
func course(h *history.History) (did []string) {
	for _, e := range h.Events {
		switch e.GetEventType() {
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			did = append(did, e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName())
		case enums.EVENT_TYPE_MARKER_RECORDED:
			did = append(did, e.GetMarkerRecordedEventAttributes().GetMarkerName())
		case enums.EVENT_TYPE_TIMER_STARTED:
			did = append(did, "wait")
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			did = append(did, "signal "+e.GetWorkflowExecutionSignaledEventAttributes().GetSignalName())
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
			did = append(did, "update")
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			if e.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId() != "" {
				did = append(did, "continued as new")
			}
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			did = append(did, "end")
		default:
		}
	}
	return did
}

// counted shortens a course: repeated steps are counted, facts of Postgres (local activities) left out.
func counted(course []string) string {
	var order []string
	times := map[string]int{}
	for _, step := range course {
		if step == "LocalActivity" {
			continue
		}
		if times[step]++; times[step] == 1 {
			order = append(order, step)
		}
	}
	for n, step := range order {
		if times[step] > 1 {
			order[n] = fmt.Sprintf("%s × %d", step, times[step])
		}
	}
	if len(order) == 0 {
		return "–"
	}
	return strings.Join(order, ", ")
}
