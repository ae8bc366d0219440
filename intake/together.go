package intake

import "recoup/billing"

// checkTogether checks what only the whole file shows. References to accounts that are not in the file are left to the store.
func (r *reader) checkTogether() {
	parent := map[billing.AccountID]billing.AccountID{}
	for _, a := range r.batch.Accounts {
		parent[a.Account.ID] = a.Account.ParentID
	}
	for _, a := range r.batch.Accounts {
		p := a.Account.ParentID
		if p != "" && p != a.Account.ID && parent[p] != "" {
			r.problems.Add(a.Line, "account.parent", "%s has a parent itself: an organisation has one owning account and no levels below", p)
		}
	}
	type place struct {
		account  billing.AccountID
		position int
	}
	taken := map[place]int{}
	for _, m := range r.batch.Methods {
		at := place{m.Method.AccountID, m.Method.Position}
		if at.position == 0 {
			continue
		}
		if first, again := taken[at]; again {
			r.problems.Add(m.Line, "payment_method.position", "%d of account %s is taken by line %d", at.position, at.account, first)
			continue
		}
		taken[at] = m.Line
	}
}
