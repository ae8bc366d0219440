package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
)

// Events of a case's history, by story. They don't depend on the machine; the bounds are the product's promise, the numbers what it does
// today.
const (
	eventsByBalances, eventsByBalancesMax = 7, 8
	eventsByPrimary, eventsByPrimaryMax   = 13, 14
	eventsByBackup                        = 19 // one method more
	eventsBySecondBackup                  = 25
)

// TestHistorySizes: a case costs as few events as promised, and an operator finds and understands it in Temporal alone.
func TestHistorySizes(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	s.waitForStory(t)
	for _, e := range paidEndings {
		var want, most int
		switch {
		case e.tried == "":
			want, most = eventsByBalances, eventsByBalancesMax
		case e.states == straight && slices.Contains([]string{"1 succeeded", "2 succeeded"}, e.tried):
			want, most = eventsByPrimary, eventsByPrimaryMax
		case e.tried == "1 declined, 2 succeeded":
			want, most = eventsByBackup, eventsByBackup
		case e.tried == "1 declined, 2 declined, 3 succeeded":
			want, most = eventsBySecondBackup, eventsBySecondBackup
		default:
			continue // waits for dates or the gateway: as long as these take
		}
		events := s.history(t, e.invoice)
		if n := len(events); n != want || n > most {
			t.Errorf("%s (%s) took %d events, want %d and at most %d:\n%s", e.invoice, e.tried, n, want, most, kindsOf(events))
		}
	}
}

// TestOperatorsView: each case says in the Temporal UI what it is, where it stands and what happens next, and is found by stage.
func TestOperatorsView(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	s.waitForStory(t)
	type view struct{ id, stage, details string }
	for _, v := range []view{
		{"inv-northwind-1", "finished", "finished: paid"},
		{"inv-sakura-1", "finished", "finished: paid"},
		{"inv-rosewood-1", "suspended", "waiting for the closing of the account until 20"},
		{"inv-rosewood-1", "suspended", "| Waits for | date |"},
		{"inv-rosewood-1", "suspended", " | declined, "},
		{"inv-rosewood-1", "suspended", "To act: Update `resolve` with"},
		{"inv-ultramarine-1", "suspension_scheduled", "below the policy's minimum until 20"},
	} {
		account := ending{invoice: v.id}.account()
		d, err := s.temporal.DescribeWorkflowExecution(t.Context(), "case/"+v.id, "")
		if err != nil {
			t.Fatal(err)
		}
		config := d.GetExecutionConfig().GetUserMetadata()
		if got := decoded(t, config.GetSummary()); !strings.HasPrefix(got, "Invoice 2025-10/") || !strings.Contains(got, " due") {
			t.Errorf("%s: its summary is %q", v.id, got)
		}
		if got := decoded(t, config.GetDetails()); !strings.Contains(got, "`"+v.id+"`") || !strings.Contains(got, "`demo`") {
			t.Errorf("%s: its details are %q", v.id, got)
		}
		attributes := d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()
		if got := decoded(t, attributes["RecoupStage"]); got != v.stage {
			t.Errorf("%s: RecoupStage is %q, want %q", v.id, got, v.stage)
		}
		if got := decoded(t, attributes["RecoupAccount"]); got != account {
			t.Errorf("%s: RecoupAccount is %q", v.id, got)
		}
		current := s.currentDetails(t, v.id)
		for _, want := range []string{"| Stage | " + v.stage, "| Due | ", v.details} {
			if !strings.Contains(current, want) {
				t.Errorf("%s: its current details don't hold %q:\n%s", v.id, want, current)
			}
		}
	}
	s.foundByStage(t)
}

// foundByStage: queries by search attribute give the same cases as Postgres.
func (s *stack) foundByStage(t *testing.T) {
	t.Helper()
	for _, stage := range []string{"finished", "suspended", "suspension_scheduled"} {
		eventually(t, 20*time.Second, "cases found by stage "+stage, func() error {
			found, err := s.query(t, fmt.Sprintf("WorkflowType = 'Case' and RecoupStage = '%s' and RecoupAccount in (%s)", stage, quoted(storyAccounts())))
			if err != nil {
				return err
			}
			stored, err := column[string](t, s, `select 'case/' || id from cases where stage = $1 and account_id = any($2) order by 1`, stage, storyAccounts())
			if err != nil {
				return err
			}
			if !slices.Equal(found, stored) {
				return fmt.Errorf("Temporal finds %v, Postgres has %v", found, stored)
			}
			return nil
		})
	}
}

func quoted(names []string) string { return "'" + strings.Join(names, "', '") + "'" }

// query lists the ids of the workflows that a visibility query finds, sorted.
func (s *stack) query(t *testing.T, query string) ([]string, error) {
	t.Helper()
	list, err := s.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: 1000, Query: query})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range list.GetExecutions() {
		ids = append(ids, e.GetExecution().GetWorkflowId())
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// currentDetails is what the workflow says of itself now.
func (s *stack) currentDetails(t *testing.T, id string) string {
	t.Helper()
	value, err := s.temporal.QueryWorkflow(t.Context(), "case/"+id, "", "__temporal_workflow_metadata")
	if err != nil {
		t.Errorf("case %s: ask for its current details: %v", id, err)
		return ""
	}
	var metadata sdkpb.WorkflowMetadata
	if err := value.Get(&metadata); err != nil {
		t.Fatal(err)
	}
	return metadata.GetCurrentDetails()
}

// history reads all events of a case's newest run.
func (s *stack) history(t *testing.T, id string) []*history.HistoryEvent {
	t.Helper()
	return s.historyOf(t, "case/"+id, "")
}

func (s *stack) historyOf(t *testing.T, workflow, run string) []*history.HistoryEvent {
	t.Helper()
	var events []*history.HistoryEvent
	pages := s.temporal.GetWorkflowHistory(t.Context(), workflow, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for pages.HasNext() {
		e, err := pages.Next()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func kindsOf(events []*history.HistoryEvent) string {
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, fmt.Sprintf("  %d %s", e.GetEventId(), e.GetEventType()))
	}
	return strings.Join(kinds, "\n")
}

func decoded(t *testing.T, p *commonpb.Payload) string {
	t.Helper()
	if p == nil {
		return ""
	}
	var text string
	if err := converter.GetDefaultDataConverter().FromPayload(p, &text); err != nil {
		t.Fatal(err)
	}
	return text
}

var address = regexp.MustCompile(`[A-Za-z0-9._-]+@[A-Za-z0-9-]+\.example`)

// TestI18HistoriesHoldNoPersonalData: histories, summaries and search attributes carry ids, amounts and codes, never a name, an address
// or a token: Temporal keeps them in clear, for weeks.
func TestI18HistoriesHoldNoPersonalData(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	s.waitForStory(t)
	names, err := column[string](t, s, `select name from contacts where account_id = any($1) and name like '% %' union select name from accounts where id = any($1)`, storyAccounts())
	if err != nil || len(names) < 80 {
		t.Fatalf("%d names: %v", len(names), err)
	}
	looked := 0
	for _, account := range storyAccounts() {
		id := "inv-" + account + "-1"
		for _, e := range s.history(t, id) {
			text := inClear(t, e)
			looked++
			what := fmt.Sprintf("event %d of %s", e.GetEventId(), id)
			masked(t, what, text)
			if found := address.FindString(text); found != "" {
				t.Errorf("%s holds a mail address", what)
			}
			for _, name := range names {
				if strings.Contains(text, name) {
					t.Errorf("%s holds the name %q", what, name)
				}
			}
		}
	}
	if looked < 500 {
		t.Errorf("only %d events were looked at", looked)
	}
}

var (
	data = regexp.MustCompile(`"data":\s*"([A-Za-z0-9+/=]+)"`)
	uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

// inClear is what an event's payloads hold, without ids that are digits by chance.
func inClear(t *testing.T, e *history.HistoryEvent) string {
	t.Helper()
	raw, err := protojson.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, found := range data.FindAllStringSubmatch(string(raw), -1) {
		texts = append(texts, uuid.ReplaceAllString(unbase64(found[1]), "id"))
	}
	return strings.Join(texts, "\n")
}
