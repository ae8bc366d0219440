package conformance

import (
	"context"
	"slices"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
)

// pageLimit bounds a list that never ends.
const pageLimit = 1000

// reversals: a success stays one for ever; that money was taken back is a fact of its own, told once by every reading (U5, faults.md
// A14, A26).
func (s *suite) reversals(t *testing.T) {
	reader, ok := s.Gateway.(gateway.ReversalReader)
	if !ok {
		return // contract says whether that is meant so
	}
	read := func(t *testing.T, a *attempt) []billing.Reversal {
		t.Helper()
		found, err := reader.Reversals(context.Background(), a.lookUp())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, b := range []Behaviour{BankReturns, Disputed} {
		t.Run(string(b), func(t *testing.T) {
			a := s.prepare(t, b)
			s.send(t, a)
			if b == BankReturns {
				s.Elapse(t, s.BankDelay+time.Second)
			}
			s.expectLookUp(t, a, a.lookUp(), succeeded)
			if found := read(t, a); len(found) != 0 {
				t.Fatalf("taken back before it was: %+v", found)
			}
			s.Elapse(t, s.BankDelay+time.Second)
			for range 2 { // the second time nothing is new
				found := read(t, a)
				if len(found) != 1 || found[0].Reference == "" || found[0].Won || found[0].Amount != a.req.Amount || found[0].Code == "" {
					t.Fatalf("reversals = %+v, want one of %v with a reference and a reason", found, a.req.Amount)
				}
			}
			if got := s.Gateway.LookUp(context.Background(), a.lookUp()); got.State != succeeded || got.Captured != a.req.Amount {
				t.Errorf("look-up of what was taken back = %s %v, want the success it was", got.State, got.Captured)
			}
			if got := s.Gateway.Charge(context.Background(), a.req); got.State == declined || got.State == notSent {
				t.Errorf("sent again after it was taken back = %s: the old attempt would be charged anew", got.State)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		a := s.prepare(t, Succeeds)
		s.send(t, a)
		if found := read(t, a); len(found) != 0 {
			t.Errorf("reversals = %+v, want none", found)
		}
	})
	t.Run("cannot be read", func(t *testing.T) {
		a := s.prepare(t, Disputed)
		s.send(t, a)
		s.Elapse(t, s.BankDelay+time.Second)
		for way := range s.ways(t, ReadReversals) {
			s.Break(t, ReadReversals, way+1)
			if found, err := reader.Reversals(context.Background(), a.lookUp()); err == nil && len(found) != 1 {
				t.Errorf("way %d: %+v: a failed read was taken for none", way+1, found)
			}
			s.Break(t, ReadReversals, 0)
		}
		if found, err := reader.Reversals(context.Background(), gateway.LookUpRequest{Attempt: a.req.Attempt}); err == nil && len(found) != 1 {
			t.Errorf("without a reference: %+v", found)
		}
	})
}

// list: everything that took money is on the list, whatever the adapter was told when it was charged (I1, I2).
func (s *suite) list(t *testing.T) {
	lister, ok := s.Gateway.(gateway.ChargeLister)
	if !ok {
		return // contract says whether that is meant so
	}
	s.Elapse(t, time.Hour)
	from := s.Now()
	taken := map[billing.AttemptID]billing.ListedCharge{}
	for _, b := range []Behaviour{Succeeds, TakesAPart, TimeoutAfter, ServerErrAfter, ServerErrPaid, ResetAfter, Truncated, BankReturns, Disputed} {
		a := s.prepare(t, b)
		s.Gateway.Charge(context.Background(), a.req)
		taken[a.req.Attempt] = billing.ListedCharge{}
	}
	for _, b := range []Behaviour{DeclinedFunds, TimeoutBefore, ServerErrBefore, ServerErrKept, WaitsForCustomer, BankStays, BankFails} {
		s.Gateway.Charge(context.Background(), s.prepare(t, b).req)
	}
	s.Elapse(t, 2*s.BankDelay+2*time.Second) // what is returned and disputed is by now
	for _, b := range s.Books(t) {
		if _, ours := taken[b.Attempt]; ours {
			taken[b.Attempt] = billing.ListedCharge{Attempt: b.Attempt, Taken: b.Amount}
		}
	}
	all, err := s.readList(lister, from.Add(-time.Second), s.Now().Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		want, ours := taken[c.Attempt]
		if !ours || c.Taken != want.Taken || c.Reference == "" || c.At.Before(from.Add(-time.Second)) {
			t.Errorf("listed %+v, the books hold %+v", c, want)
		}
		delete(taken, c.Attempt)
	}
	for id := range taken {
		t.Errorf("attempt %s took money and is not on the list", id)
	}
	if before, err := s.readList(lister, from.Add(-time.Hour), from.Add(-time.Minute)); err != nil || len(before) != 0 {
		t.Errorf("before: %+v %v", before, err)
	}
	for way := range s.ways(t, ReadList) {
		s.Break(t, ReadList, way+1)
		if got, err := s.readList(lister, from.Add(-time.Second), s.Now().Add(time.Second)); err == nil && len(got) != len(all) {
			t.Errorf("way %d: %d of %d listed, and no error", way+1, len(got), len(all))
		}
		s.Break(t, ReadList, 0)
	}
}

func (s *suite) readList(lister gateway.ChargeLister, from, to time.Time) (all []billing.ListedCharge, err error) {
	cursor := ""
	for range pageLimit {
		page, err := lister.ListCharges(context.Background(), from, to, cursor)
		if err != nil {
			return all, err
		}
		all = append(all, page.Charges...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return all, nil
}

// listOfReversals: every payment of which money was taken back is on the list, in the time when it was taken back (faults.md B5).
func (s *suite) listOfReversals(t *testing.T) {
	lister, ok := s.Gateway.(gateway.ReversalLister)
	if !ok {
		return // contract says whether that is meant so
	}
	s.Elapse(t, time.Hour) // what earlier payments still had to lose is taken back
	s.Elapse(t, 2*time.Hour)
	from := s.Now()
	var kept *attempt
	taken := map[string]bool{}
	for _, b := range []Behaviour{Succeeds, BankReturns, Disputed, Disputed} {
		a := s.prepare(t, b)
		s.send(t, a)
		if b == BankReturns {
			s.Elapse(t, s.BankDelay+time.Second)
		}
		s.expectLookUp(t, a, a.lookUp(), succeeded)
		if b == Succeeds {
			kept = a
			continue
		}
		taken[a.last.Reference] = true
	}
	s.Elapse(t, s.BankDelay+time.Second)
	read := func(from, to time.Time) (all []string, err error) {
		cursor := ""
		for range pageLimit {
			page, err := lister.ListReversals(context.Background(), from, to, cursor)
			if err != nil {
				return all, err
			}
			all = append(all, page.Payments...)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		return all, nil
	}
	all, err := read(from.Add(-time.Second), s.Now().Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for payment := range taken {
		if !slices.Contains(all, payment) {
			t.Errorf("money of %s was taken back, and it is not on the list %v", payment, all)
		}
	}
	if slices.Contains(all, kept.last.Reference) {
		t.Errorf("%s kept its money and is on the list", kept.last.Reference)
	}
	if before, err := read(from.Add(-time.Hour), from.Add(-time.Minute)); err != nil || len(before) != 0 {
		t.Errorf("before: %v %v", before, err)
	}
	for way := range s.ways(t, ReadTakenBack) {
		s.Break(t, ReadTakenBack, way+1)
		if got, err := read(from.Add(-time.Second), s.Now().Add(time.Second)); err == nil && len(got) != len(all) {
			t.Errorf("way %d: %d of %d listed, and no error", way+1, len(got), len(all))
		}
		s.Break(t, ReadTakenBack, 0)
	}
}

// ways is how many ways a read can be broken; a harness that knows none proves nothing.
func (s *suite) ways(t *testing.T, r Read) int {
	t.Helper()
	ways := s.Break(t, r, 0)
	if ways == 0 {
		t.Errorf("the harness knows no way to break the read of %s", r)
	}
	return ways
}
