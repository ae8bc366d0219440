package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/boundary"
)

// ImportInput is one file to take in.
type ImportInput struct {
	File   string            // its name, for the record
	Format string            // how it was read
	Digest [sha256.Size]byte // of its bytes and of the options it was read with
	Batch  billing.Batch
	// Progress, when given, is told how many rows are written of how many.
	Progress func(done, total int)
}

// ImportCount says how many objects of one kind were new and how many were there already with the same content.
type ImportCount struct {
	New       int `json:"new"`
	Unchanged int `json:"unchanged"`
}

// ImportResult says what an import did.
type ImportResult struct {
	// Again: this very file was imported before, so nothing was looked at.
	Again    bool        `json:"-"`
	Accounts ImportCount `json:"accounts"`
	Methods  ImportCount `json:"methods"`
	Credits  ImportCount `json:"credits"`
	Deposits ImportCount `json:"deposits"`
	Invoices ImportCount `json:"invoices"`
	// Arrived are deposits that were pending and are settled now (AF3).
	Arrived int `json:"arrived"`
	// PaidAtOnce are the new invoices with nothing to pay.
	PaidAtOnce int `json:"paid_at_once"`
}

// importLimit replaces the session's limits during an import: a large file takes longer than any other transaction may.
const importLimit = 10 * time.Minute

// Import takes in one file, all or nothing: accounts, contacts, invoices with their lines, payment methods, credits and deposits, each
// movement of value with its journal transaction (M2). What is there already with the same content is counted as unchanged; other
// content under the same id is refused. A *billing.BatchProblems lists everything that was refused. An invoice with nothing to pay is
// paid at once: it has no case and no journal entry. Live cases of accounts that got money or methods are woken (D7, AF4).
func (s *Store) Import(ctx context.Context, in ImportInput) (ImportResult, error) {
	var result ImportResult
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		result = ImportResult{}
		limit := fmt.Sprintf("set local statement_timeout = %d; set local lock_timeout = %[1]d", importLimit.Milliseconds())
		if _, err := tx.Exec(ctx, limit); err != nil {
			return err
		}
		// One import at a time: two files with the same object would otherwise meet at its primary key.
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext('recoup import'))"); err != nil {
			return err
		}
		var err error
		if result.Again, err = importedBefore(ctx, tx, in); err != nil || result.Again {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		i := importer{store: s, tx: tx, now: now, in: in, result: &result}
		return i.run(ctx)
	})
	if err != nil {
		return ImportResult{}, fmt.Errorf("import %s: %w", in.File, err)
	}
	boundary.At(boundary.AfterImport, in.File)
	return result, nil
}

func importedBefore(ctx context.Context, tx pgx.Tx, in ImportInput) (bool, error) {
	var before bool
	err := tx.QueryRow(ctx, "select exists (select 1 from imports where sha256 = $1 and format = $2)", in.Digest[:], in.Format).Scan(&before)
	return before, err
}

// importer is one import on its way through its transaction.
type importer struct {
	store    *Store
	tx       pgx.Tx
	now      time.Time
	in       ImportInput
	result   *ImportResult
	problems billing.BatchProblems

	accounts map[billing.AccountID]knownAccount // of the file and of the database, as far as the file names them
	fresh    freshObjects
	written  int
}

// knownAccount is what other objects need of their account.
type knownAccount struct {
	zone, policy, country, plan string
	parent                      billing.AccountID
	isNew                       bool
}

// freshObjects are those that are not in the database yet, or news of them.
type freshObjects struct {
	accounts []billing.BatchAccount
	methods  []billing.BatchMethod
	credits  []billing.BatchCredit
	deposits []billing.BatchDeposit
	arrived  []billing.BatchDeposit // pending until now
	invoices []billing.BatchInvoice
}

// run first looks at everything, then writes: problems are collected over the whole file.
func (i *importer) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{i.lookAtAccounts, i.lookAtInvoices, i.lockPaying, i.lookAtMethods, i.lookAtCredits, i.lookAtDeposits} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := i.problems.Err(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{i.writeAccounts, i.writeInvoices, i.writeMethods, i.writeCredits, i.writeDeposits, i.wake, i.record} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lockPaying locks the accounts that get money or methods, in id order: a case that is opened or looks for money at this moment either
// sees what is imported here or is woken by it (M4, AF4).
func (i *importer) lockPaying(ctx context.Context) error {
	_, err := i.tx.Exec(ctx, "select 1 from accounts where id = any($1) order by id for no key update", i.payingAccounts(false))
	return err
}

// payingAccounts are those that get money or methods by this file; onlyFresh leaves out what is there already.
func (i *importer) payingAccounts(onlyFresh bool) []string {
	seen := map[billing.AccountID]bool{}
	var ids []string
	add := func(id billing.AccountID) {
		if !seen[id] && !i.accounts[id].isNew {
			seen[id] = true
			ids = append(ids, string(id))
		}
	}
	methods, credits, deposits := i.in.Batch.Methods, i.in.Batch.Credits, i.in.Batch.Deposits
	if onlyFresh {
		methods, credits, deposits = i.fresh.methods, i.fresh.credits, slices.Concat(i.fresh.deposits, i.fresh.arrived)
	}
	for _, m := range methods {
		add(m.Method.AccountID)
	}
	for _, c := range credits {
		add(c.Credit.AccountID)
	}
	for _, d := range deposits {
		if d.SettledOn != "" {
			add(d.Deposit.AccountID)
		}
	}
	return ids
}

// wake pokes the live cases that could now be paid: of the accounts themselves and, where credits are shared, of their organisation (CR4).
func (i *importer) wake(ctx context.Context) error {
	const live = `
		select distinct c.id from accounts a
		  join accounts o on o.id = a.id or a.credit_sharing and (o.id = a.parent_id or o.parent_id = coalesce(a.parent_id, a.id))
		  join cases c on c.account_id = o.id and c.finished_at is null
		 where a.id = any($1) order by c.id`
	rows, _ := i.tx.Query(ctx, live, i.payingAccounts(true))
	cases, err := pgx.CollectRows(rows, pgx.RowTo[billing.CaseID])
	if err != nil {
		return fmt.Errorf("find cases to wake: %w", err)
	}
	// An import is an act of staff, and only what is new gets here: the round needn't wait as one asked for by a machine does (D7).
	const ask = `update cases set wake = 'person', wake_method = '' where id = any($1)`
	if _, err := i.tx.Exec(ctx, ask, cases); err != nil {
		return fmt.Errorf("ask for early rounds: %w", err)
	}
	for _, id := range cases {
		if err := poke(ctx, i.tx, id, "import"); err != nil {
			return err
		}
	}
	return nil
}

// record keeps the file's digest, so that the same file again changes nothing, and tells the audit log (I16).
func (i *importer) record(ctx context.Context) error {
	const file = `insert into imports (id, file, sha256, format, counts, imported_at) values (gen_random_uuid(), $1, $2, $3, $4, $5)`
	if _, err := i.tx.Exec(ctx, file, i.in.File, i.in.Digest[:], i.in.Format, *i.result, i.now); err != nil {
		return fmt.Errorf("record the import: %w", err)
	}
	const audit = `insert into audit_log (actor, act, request_id, after) values ('import', 'import', $1, $2)`
	if _, err := i.tx.Exec(ctx, audit, fmt.Sprintf("%x", i.in.Digest), *i.result); err != nil {
		return fmt.Errorf("record the import: %w", err)
	}
	return nil
}

// tell reports progress over everything that will be written.
func (i *importer) tell(rows int) {
	i.written += rows
	if i.in.Progress == nil {
		return
	}
	f := i.fresh
	i.in.Progress(i.written, len(f.accounts)+len(f.methods)+len(f.credits)+len(f.deposits)+len(f.arrived)+len(f.invoices))
}
