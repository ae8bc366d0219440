package starter

import (
	"context"
	"time"

	"recoup/boundary"
)

// Limits of the poker.
const (
	pokePage  = 200
	pokeEvery = 2 * time.Second // the longest a poke waits when its notification was lost
)

// Poke delivers pokes to workflows until ctx ends. A poke is written with the fact that asks for it and forgotten only after delivery, so
// none is lost while Temporal or every worker is down (R1). Batches are started and told in the same way.
func (s *Starter) Poke(ctx context.Context) error {
	for ctx.Err() == nil {
		s.wakeBatches(ctx)
		pokes, err := s.Store.DuePokes(ctx, pokePage)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("pokes not read", "error", err)
		}
		for _, p := range pokes {
			boundary.At(boundary.BeforePoke, p.Case)
			done := s.Store.PokeDelivered
			if err := s.wake(ctx, p); err != nil {
				s.Log.Warn("case not woken", "case", p.Case, "error", err)
				done = s.Store.PokeFailed
			}
			boundary.At(boundary.AfterPoke, p.Case)
			if err := done(ctx, p); err != nil && ctx.Err() == nil {
				s.Log.Warn("poke not forgotten", "case", p.Case, "error", err)
			}
		}
		if len(pokes) == pokePage {
			continue
		}
		waitCtx, cancel := context.WithTimeout(ctx, pokeEvery)
		if err := s.Store.WaitForPoke(waitCtx); err != nil && waitCtx.Err() == nil {
			s.Log.Warn("not listening for pokes", "error", err)
			<-waitCtx.Done()
		}
		cancel()
	}
	return nil
}
