//go:build !canary_credit_read_then_insert && !canary_deposit_read_then_insert

package store

// Balances are read under locks and then spent, never read and then written back (M4): the account first, then the rows that are spent.
const (
	accountLock = ` for no key update`
	creditLock  = ` for no key update`
	depositLock = ` for no key update`

	spendCredit = `with spent as (update credits set remaining_minor = remaining_minor - $3 where id = $2)
		insert into credit_applications (id, credit_id, invoice_id, line_position, amount_minor, applied_at) values ($1, $2, $4, $5, $3, $6)`
	spendDeposit = `with spent as (update deposits set remaining_minor = remaining_minor - $3 where id = $2)
		insert into deposit_uses (id, deposit_id, invoice_id, amount_minor, used_at) values ($1, $2, $4, $3, $5)`
)
