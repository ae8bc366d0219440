package devstack

import (
	"context"
	"errors"
	"fmt"
)

// Part is one thing that the stack starts.
type Part struct {
	Name string // as the person reads it
	// Start returns when the part is up. Its ctx ends when the person gives
	// up waiting; what runs on after Start must not depend on it: the parts
	// are stopped one by one, in reverse order.
	Start func(ctx context.Context, s *Stack) (Running, error)
}

// Running is a part that is up.
type Running struct {
	Addr string                      // URL or host:port, or what was done; shown to the person
	Stop func(context.Context) error // ends the part before ctx ends; nil for a part that only did something
	Died <-chan error                // tells that the part ended by itself; nil if it cannot
}

// untilStopped runs a part in a goroutine of its own. Run calls ready with
// its address once it is up, and returns soon after its ctx has ended.
func untilStopped(ctx context.Context, run func(ctx context.Context, ready func(addr string)) error) (Running, error) {
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	up := make(chan string, 1)
	died := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := run(runCtx, func(addr string) {
			select {
			case up <- addr:
			default:
			}
		})
		if err == nil && runCtx.Err() == nil {
			err = errors.New("ended by itself")
		}
		died <- err
	}()
	stop := func(ctx context.Context) error {
		cancel()
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-died:
			if !errors.Is(err, context.Canceled) {
				return err
			}
		default: // somebody was told already
		}
		return nil
	}
	select {
	case addr := <-up:
		return Running{Addr: addr, Stop: stop, Died: died}, nil
	case err := <-died:
		cancel()
		return Running{}, err
	case <-ctx.Done():
		cancel()
		<-ended
		return Running{}, ctx.Err()
	}
}

// stopPart does not wait longer than ctx, even for a part that ignores it.
func stopPart(ctx context.Context, r Running) error {
	if r.Stop == nil {
		return nil
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(ctx) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return fmt.Errorf("did not stop in time: %w", ctx.Err())
	}
}
