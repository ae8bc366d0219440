package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// BatchSelection says which cases a batch is about: exactly one of its parts.
type BatchSelection struct {
	// Invoices are named one by one. List is their digest, for the record.
	Invoices []billing.ListedInvoice `json:"-"`
	List     string                  `json:"list,omitempty"`
	// Outage chooses open cases whose last attempt failed for a reason of ours or the gateway's.
	Outage *OutageWindow `json:"outage,omitempty"`
	// OnPolicy chooses open cases that follow a version of a policy.
	OnPolicy *PolicyVersion `json:"on_policy,omitempty"`
}

// OutageWindow is when a gateway did not serve us.
type OutageWindow struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`                // exclusive
	Gateway string    `json:"gateway,omitempty"` // "": any
}

// PolicyVersion names one version of a policy.
type PolicyVersion struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// String is how people write it: standard@2.
func (p PolicyVersion) String() string { return fmt.Sprintf("%s@%d", p.Name, p.Version) }

var gatewayShape = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)

func (b BatchSelection) check() error {
	parts := 0
	for _, given := range []bool{len(b.Invoices) > 0, b.Outage != nil, b.OnPolicy != nil} {
		if given {
			parts++
		}
	}
	switch {
	case parts == 0:
		return billing.Refuse(billing.RefusedInvalid, "invoices", "nothing is chosen: give a list of invoices, the time of an outage, or a policy's version")
	case parts > 1:
		return billing.Refuse(billing.RefusedInvalid, "invoices", "choose by a list, by an outage or by a policy, not by several")
	case len(b.Invoices) > billing.BatchItemsMax:
		return billing.Refuse(billing.RefusedInvalid, "invoices", "a batch holds at most %d invoices; split the list", billing.BatchItemsMax)
	case b.Outage != nil && !b.Outage.From.Before(b.Outage.To):
		return billing.Refuse(billing.RefusedInvalid, "from", "an outage must begin before it ends")
	case b.Outage != nil && b.Outage.Gateway != "" && !gatewayShape.MatchString(b.Outage.Gateway):
		return billing.Refuse(billing.RefusedInvalid, "gateway", "%q is no gateway's name", b.Outage.Gateway)
	case b.OnPolicy != nil && dunning.CheckPolicyName(b.OnPolicy.Name) != nil:
		return billing.Refuse(billing.RefusedInvalid, "on_policy", "%q is no policy's name", b.OnPolicy.Name)
	case b.OnPolicy != nil && b.OnPolicy.Version < 1:
		return billing.Refuse(billing.RefusedInvalid, "on_policy", "must name a version, such as standard@1")
	}
	return nil
}

// digest tells one list from another; "" when the selection is none.
func (b BatchSelection) digest() string {
	if len(b.Invoices) == 0 {
		return b.List
	}
	h := sha256.New()
	for _, i := range b.Invoices {
		fmt.Fprintln(h, i.ID)
	}
	return fmt.Sprintf("%d invoices, sha256 %s", len(b.Invoices), hex.EncodeToString(h.Sum(nil)[:8]))
}

// Says is the selection in words.
func (b BatchSelection) Says() string {
	switch {
	case b.Outage != nil:
		at := b.Outage.Gateway
		if at == "" {
			at = "any gateway"
		}
		return fmt.Sprintf("open cases whose last attempt failed for our or the gateway's fault at %s from %s to %s", at,
			b.Outage.From.UTC().Format(time.RFC3339), b.Outage.To.UTC().Format(time.RFC3339))
	case b.OnPolicy != nil:
		return "open cases on " + b.OnPolicy.String()
	case len(b.Invoices) > 0:
		return "a list: " + b.digest()
	}
	return "a list: " + b.List
}

// unknownsListed bounds how many invoices that aren't there are named at once.
const unknownsListed = 20

// choose makes the list of a batch as it is at this moment, without doubles.
func (s *Store) choose(ctx context.Context, tx pgx.Tx, b BatchSelection) ([]string, error) {
	var rows pgx.Rows
	switch {
	case b.Outage != nil:
		if b.Outage.Gateway != "" {
			if err := knownGateway(ctx, tx, b.Outage.Gateway); err != nil {
				return nil, err
			}
		}
		rows, _ = tx.Query(ctx, failedByOutage, b.Outage.From, b.Outage.To, b.Outage.Gateway, billing.BatchItemsMax+1)
	case b.OnPolicy != nil:
		if _, err := s.policy(ctx, tx, b.OnPolicy.Name, b.OnPolicy.Version); err != nil {
			return nil, err
		}
		const query = `select invoice_id from cases where finished_at is null and policy = $1 and policy_version = $2 order by id limit $3`
		rows, _ = tx.Query(ctx, query, b.OnPolicy.Name, b.OnPolicy.Version, billing.BatchItemsMax+1)
	default:
		return listed(ctx, tx, b.Invoices)
	}
	chosen, err := pgx.CollectRows(rows, pgx.RowTo[string])
	switch {
	case err != nil:
		return nil, err
	case len(chosen) == 0:
		return nil, billing.Refuse(billing.RefusedNotNow, "invoices", "there is nothing to do: there are no %s", b.Says())
	case len(chosen) > billing.BatchItemsMax:
		return nil, billing.Refuse(billing.RefusedInvalid, "invoices", "these are more than %d cases; choose fewer", billing.BatchItemsMax)
	}
	return chosen, nil
}

// failedByOutage finds open cases whose last attempt came to nothing for a reason that is not the customer's (D1): the gateway did not
// process it, or it was proved after silence that it never happened (transient), or it refused our own credentials (our_config).
const failedByOutage = `select distinct a.invoice_id from attempts a join cases c on c.id = a.case_id
	where c.finished_at is null and a.class in ('` + string(dunning.ClassTransient) + `', '` + string(dunning.ClassOurConfig) + `')
		and a.ended_at >= $1 and a.ended_at < $2 and ($3 = '' or a.gateway = $3)
		and not exists (select 1 from attempts later where later.case_id = a.case_id and (later.created_at, later.id) > (a.created_at, a.id))
	order by a.invoice_id limit $4`

// listed refuses a list with an invoice that isn't there, naming its line.
func listed(ctx context.Context, tx pgx.Tx, list []billing.ListedInvoice) ([]string, error) {
	ids, seen := make([]string, 0, len(list)), map[billing.InvoiceID]bool{}
	for _, i := range list {
		if !seen[i.ID] {
			seen[i.ID] = true
			ids = append(ids, string(i.ID))
		}
	}
	rows, _ := tx.Query(ctx, `select id from invoices where id = any($1)`, ids)
	there, err := pgx.CollectRows(rows, pgx.RowTo[billing.InvoiceID])
	if err != nil {
		return nil, err
	}
	for _, id := range there {
		delete(seen, id)
	}
	var missing []string
	for _, i := range list {
		if seen[i.ID] && len(missing) < unknownsListed {
			missing = append(missing, fmt.Sprintf("line %d: there is no invoice %s", i.Line, i.ID))
		}
	}
	if len(missing) == 0 {
		return ids, nil
	}
	if more := len(seen) - len(missing); more > 0 {
		missing = append(missing, fmt.Sprintf("and %d more", more))
	}
	return nil, billing.Refuse(billing.RefusedNotFound, "invoices", "%s", strings.Join(missing, "; "))
}
