package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Checkpoint is what the ends of all journal chains were at one instant, as one digest (I15). Kept outside the database it shows whether
// anything from before it was rewritten since, even by the owner of the database.
type Checkpoint struct {
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Snapshot string    `json:"snapshot"` // Postgres' pg_snapshot: the transactions it sees are those that are meant
	Accounts int64     `json:"accounts"`
	Links    int64     `json:"links"`
	Digest   string    `json:"digest"` // SHA-256, hex
}

// RecordCheckpoint writes a checkpoint of the journal as it is now, and returns it.
func (s *Store) RecordCheckpoint(ctx context.Context) (Checkpoint, error) {
	var c Checkpoint
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) (err error) {
		// It reads every link: longer than a transaction that holds locks may.
		if _, err := tx.Exec(ctx, "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0"); err != nil {
			return err
		}
		var snapshot string
		if err := tx.QueryRow(ctx, "select pg_current_snapshot()::text").Scan(&snapshot); err != nil {
			return err
		}
		if c, err = DigestChains(ctx, tx, snapshot); err != nil {
			return err
		}
		digest, err := hex.DecodeString(c.Digest)
		if err != nil {
			return err
		}
		const insert = `insert into journal_checkpoints (snapshot, accounts, links, digest) values ($1, $2, $3, $4) returning id, at`
		return tx.QueryRow(ctx, insert, snapshot, c.Accounts, c.Links, digest).Scan(&c.ID, &c.At)
	})
	if err != nil {
		return Checkpoint{}, fmt.Errorf("record a checkpoint of the journal: %w", err)
	}
	return c, nil
}

// LastCheckpoint is when the newest was recorded; the zero time: never.
func (s *Store) LastCheckpoint(ctx context.Context) (time.Time, error) {
	var at *time.Time
	if err := s.pool.QueryRow(ctx, "select max(at) from journal_checkpoints").Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("read the last checkpoint: %w", err)
	}
	return orZero(at), nil
}

// DigestChains computes the checkpoint of the links that a snapshot saw (docs/ledger.md): SHA-256 over account, length and hash of every
// chain's end, each a netstring, in the order of the accounts' bytes.
func DigestChains(ctx context.Context, tx pgx.Tx, snapshot string) (Checkpoint, error) {
	c := Checkpoint{Snapshot: snapshot}
	sum := sha256.New()
	const ends = `select distinct on (l.account_id collate "C") l.account_id, l.position, encode(l.hash, 'hex')
		from journal_links l join journal_transactions t on t.id = l.transaction_id
		where t.xid is null or pg_visible_in_snapshot(t.xid::text::xid8, $1::text::pg_snapshot)
		order by l.account_id collate "C", l.position desc`
	var account, hash string
	var length int64
	rows, _ := tx.Query(ctx, ends, snapshot)
	_, err := pgx.ForEachRow(rows, []any{&account, &length, &hash}, func() error {
		c.Accounts++
		c.Links += length
		position := fmt.Sprint(length)
		fmt.Fprintf(sum, "%d:%s,%d:%s,%d:%s,", len(account), account, len(position), position, len(hash), hash)
		return nil
	})
	if err != nil {
		return Checkpoint{}, fmt.Errorf("digest the journal's chains: %w", err)
	}
	c.Digest = hex.EncodeToString(sum.Sum(nil))
	return c, nil
}
