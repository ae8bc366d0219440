package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
)

// Tokens of the simulated gateway that these tests use (gateway/stripesim/README.md).
const (
	noMoney      = "pm_card_visa_chargeDeclinedInsufficientFunds"
	paysSecond   = "pm_sim_decline_then_ok_1"
	paysUnheard  = "pm_sim_timeout_after_effect"  // charges, and never answers the first send
	neverArrives = "pm_sim_timeout_before_effect" // the first send is not answered, and nothing comes of it
	actDue       = 5000                           // cents of every invoice that open imports
	actDueInText = "50.00"
)

// open imports an account with one method and one invoice that is due, and returns its case once the first attempt has been made and the
// case sleeps. Policy standard sleeps for days: nothing happens to it by itself.
func (s *stack) open(t *testing.T, account, policy, token string) string {
	t.Helper()
	id := s.owe(t, account, policy, token)
	s.until(t, time.Minute, id, "waits after its first attempt", waitsAfter(1))
	return id
}

// owe imports an account with these methods, in order, and one invoice that is due. Its case opens with the next scan.
func (s *stack) owe(t *testing.T, account, policy string, tokens ...string) string {
	t.Helper()
	s.imports(t, account, owing(account, policy, actDueInText, tokens...)...)
	return "inv-" + account + "-1"
}

// owing are the lines of such an import.
func owing(account, policy, due string, tokens ...string) []string {
	lines := []string{
		fmt.Sprintf(`{"kind":"account","id":%q,"name":"Account %s","time_zone":"UTC","policy":%q,"contacts":[{"name":"Someone","email":"someone@%[2]s.example.com"}]}`, account, account, policy),
	}
	for n, token := range tokens {
		lines = append(lines, methodLine(account, n+1, token))
	}
	return append(lines, fmt.Sprintf(`{"kind":"invoice","id":"inv-%s-1","number":"2025-10/%s/1","account":%[1]q,"due_date":"2025-11-14","currency":"USD","lines":[{"service":"Compute","period_start":"2025-10-01","amount":%[3]q}]}`,
		account, strings.ToUpper(account), due))
}

// addMethod adds a method to an account.
func (s *stack) addMethod(t *testing.T, account string, position int, token string) {
	t.Helper()
	s.imports(t, account+"-method", methodLine(account, position, token))
}

func methodLine(account string, position int, token string) string {
	looks := `"method_kind":"card","brand":"visa","last4":"9995","expiry":"2031-08"`
	if strings.HasPrefix(token, "pm_usBankAccount") || strings.HasPrefix(token, "pm_sim_bank") {
		looks = `"method_kind":"us_bank_account","brand":"STRIPE TEST BANK","last4":"6789"`
	}
	return fmt.Sprintf(`{"kind":"payment_method","id":"pm-%s-%d","account":%[1]q,"token":%[3]q,%[4]s,"position":%[2]d}`, account, position, token, looks)
}

func (s *stack) imports(t *testing.T, name string, lines ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	s.must(t, "import", path)
}

// runOf is the newest run of a case's workflow.
func (s *stack) runOf(t *testing.T, id string) (run string, status enums.WorkflowExecutionStatus) {
	t.Helper()
	d, err := s.temporal.DescribeWorkflowExecution(t.Context(), "case/"+id, "")
	if err != nil {
		t.Fatal(err)
	}
	info := d.GetWorkflowExecutionInfo()
	return info.GetExecution().GetRunId(), info.GetStatus()
}

// runsAgain waits until a case has a new running workflow.
func (s *stack) runsAgain(t *testing.T, id, before string) {
	t.Helper()
	eventually(t, time.Minute, "case "+id+" runs again", func() error {
		run, status := s.runOf(t, id)
		if run == before || status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return fmt.Errorf("run %s is %s", run, status)
		}
		return nil
	})
}

// endsPaidOnce waits until a case is paid and holds it against the books: so many attempts, one charge of so much at the gateway.
func (s *stack) endsPaidOnce(t *testing.T, id string, attempts int, charged int64) {
	t.Helper()
	c := s.until(t, time.Minute, id, "is paid", isPaid)
	if len(c.Attempts) != attempts || c.paid(fromGateway) != charged {
		t.Errorf("%s made %d attempts and was charged %d; want %d and %d", id, len(c.Attempts), c.paid(fromGateway), attempts, charged)
	}
	theirs, err := getJSON[books](s.env["RECOUP_STRIPE_URL"] + "/books")
	if err != nil {
		t.Fatal(err)
	}
	var sum, charges int64
	for _, b := range theirs.Charges {
		if b.Invoice == id {
			sum, charges = sum+b.Amount, charges+1
		}
	}
	if sum != charged || charges != min(charged, 1) {
		t.Errorf("%s: the gateway has %d charges of %d together, want %d", id, charges, sum, charged)
	}
	eventually(t, 20*time.Second, "the workflow of "+id+" ends", func() error {
		if run, status := s.runOf(t, id); status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			return fmt.Errorf("run %s is %s", run, status)
		}
		return nil
	})
}
