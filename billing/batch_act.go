package billing

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// BatchID names an act over many cases, such as "20261122-k3f9q2". Its workflow's id is "batch-" and this. (Batch is what an import
// file holds, and has nothing to do with it.)
type BatchID string

// BatchKind is what an act over many cases does to each of them.
type BatchKind string

// The kinds of batches: the first three are resolutions of the same name.
const (
	BatchRetry   BatchKind = "retry_now"
	BatchHold    BatchKind = "hold"
	BatchRelease BatchKind = "release"
	BatchMove    BatchKind = "move_policy"
)

// BatchKinds returns every kind.
func BatchKinds() []BatchKind { return []BatchKind{BatchRetry, BatchHold, BatchRelease, BatchMove} }

// Resolution returns the resolution that each item is; "" for a move to another policy.
func (k BatchKind) Resolution() ResolutionKind {
	if k == BatchMove || !slices.Contains(BatchKinds(), k) {
		return ""
	}
	return ResolutionKind(k)
}

// BatchState is where a batch stands.
type BatchState string

// The states of a batch.
const (
	BatchRunning   BatchState = "running"
	BatchPaused    BatchState = "paused"
	BatchCancelled BatchState = "cancelled" // what was done stays done; the rest was left out
	BatchDone      BatchState = "done"      // every item has its outcome
)

// Ended reports whether nothing more will happen.
func (s BatchState) Ended() bool { return s == BatchCancelled || s == BatchDone }

// ItemState is what became of one item of a batch.
type ItemState string

// The outcomes of an item.
const (
	ItemWaiting  ItemState = "waiting"
	ItemDone     ItemState = "done"
	ItemProposed ItemState = "proposed"  // recorded, and waits for a second person (R2)
	ItemRefused  ItemState = "refused"   // it may not be, as if it had been decided alone
	ItemNotThere ItemState = "not_there" // the invoice has no open case
	ItemFailed   ItemState = "failed"    // our fault: tried several times, nothing was changed
	ItemLeftOut  ItemState = "left_out"  // the batch was cancelled first
)

// ItemStates returns every outcome, in the order in which reports count them.
func ItemStates() []ItemState {
	return []ItemState{ItemDone, ItemProposed, ItemRefused, ItemNotThere, ItemFailed, ItemLeftOut, ItemWaiting}
}

// Bounds on batches.
const (
	// BatchItemsMax bounds a batch, so that recording it is one short transaction.
	BatchItemsMax = 20_000
	// BatchPace is how many items are carried out a minute when nothing is said; BatchPaceMax is the most.
	BatchPace    = 60
	BatchPaceMax = 6000
)

// BatchRequest is the request id that item number of a batch is carried out under: the same item again finds its first answer (R2).
func BatchRequest(id BatchID, number int) string { return fmt.Sprintf("batch:%s:%d", id, number) }

// ListedInvoice is one line of a list of invoices.
type ListedInvoice struct {
	Line int // of the list, from 1
	ID   InvoiceID
}

// ReadInvoiceList reads invoice ids, one a line; empty lines and what follows a # are skipped, and an invoice that is listed again counts
// once. The error names the first line that is no id, or says that the list is too long.
func ReadInvoiceList(r io.Reader) ([]ListedInvoice, error) {
	var list []ListedInvoice
	seen := map[InvoiceID]bool{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
		id := InvoiceID(text)
		if text == "" || seen[id] {
			continue
		}
		if err := CheckID(text); err != nil {
			return nil, Refuse(RefusedInvalid, "invoices", "line %d: an invoice's id %v", n, err)
		}
		if len(list) == BatchItemsMax {
			return nil, Refuse(RefusedInvalid, "invoices", "line %d: a batch holds at most %d invoices; split the list", n, BatchItemsMax)
		}
		seen[id] = true
		list = append(list, ListedInvoice{n, id})
	}
	if err := lines.Err(); err != nil {
		return nil, Refuse(RefusedInvalid, "invoices", "the list can't be read: %v", err)
	}
	return list, nil
}
