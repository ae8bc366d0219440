package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"recoup/billing"
	"recoup/boundary"
)

// Notices is what the dispatcher needs of the send records.
type Notices interface {
	// ClaimNotices takes up to limit due records of one channel for the length of lease.
	ClaimNotices(ctx context.Context, channel string, limit int, lease time.Duration) ([]billing.NoticeClaim, error)
	// BeginNotice reads the facts and marks a mail as sending in one transaction, or says why it is NotNow. The mail's Message-ID is made
	// at the domain.
	BeginNotice(ctx context.Context, c billing.NoticeClaim, domain string) (billing.NoticeFacts, error)
	NoticeSent(ctx context.Context, c billing.NoticeClaim, text billing.NoticeText) error
	// NoticeLater gives a record back that was not begun; alert tells operators.
	NoticeLater(ctx context.Context, c billing.NoticeClaim, wait time.Duration, problem string, alert bool) error
	// NoticeNotTaken gives a mail back that the server certainly did not take; alert tells operators.
	NoticeNotTaken(ctx context.Context, c billing.NoticeClaim, wait time.Duration, problem string, alert bool) error
	// NoticeFailed gives up on a contact: the next one and operators are told (N5).
	NoticeFailed(ctx context.Context, c billing.NoticeClaim, text billing.NoticeText) error
	NoticeInDoubt(ctx context.Context, c billing.NoticeClaim, wait time.Duration, text billing.NoticeText) error
	WordingBroke(ctx context.Context, f billing.NoticeFacts, problem string) error
	// ListenNotices calls wake when records are queued, until ctx ends or it breaks.
	ListenNotices(ctx context.Context, wake func()) error
}

// Dispatcher takes queued notices and delivers them: console copies at once, mails over SMTP. Several may run at the same time, in one
// process or in many; a send record is one dispatcher's at a time.
type Dispatcher struct {
	Notices Notices
	Mailer  *Mailer
	Links   Links
	Log     *slog.Logger
	// Poll is how often due records are looked for without being woken; 0: every second.
	Poll time.Duration
	// Lease is how long a claimed record is left to its dispatcher; 0: two minutes. It must be longer than one mail may take.
	Lease time.Duration
	// Parallel bounds the records of one channel worked on at once; 0: eight.
	Parallel int
}

const (
	defaultPoll     = time.Second
	defaultLease    = 2 * time.Minute
	defaultParallel = 8
	// stopGrace bounds how long records in hand may take after the context ended.
	stopGrace = 12 * time.Second
)

var channels = []string{billing.ChannelConsole, billing.ChannelEmail}

// Run delivers notices until ctx ends; records in hand are finished first. Trouble is logged and retried, never returned.
func (d *Dispatcher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	var wakes []chan struct{}
	for _, channel := range channels {
		// A channel of its own: a mail server that hangs never holds up the console.
		wake := make(chan struct{}, 1)
		wakes = append(wakes, wake)
		wg.Go(func() { d.loop(ctx, channel, wake) })
	}
	wg.Go(func() {
		d.listen(ctx, func() {
			for _, wake := range wakes {
				select {
				case wake <- struct{}{}:
				default: // one is waiting already
				}
			}
		})
	})
	wg.Wait()
	return nil
}

// listen keeps listening for records queued by any process; while it can't, the poll finds them.
func (d *Dispatcher) listen(ctx context.Context, wake func()) {
	for ctx.Err() == nil {
		if err := d.Notices.ListenNotices(ctx, wake); err != nil && ctx.Err() == nil {
			d.log().WarnContext(ctx, "notices: listening broke, polling goes on", "error", err)
		}
		sleep(ctx, 5*time.Second)
	}
}

// loop delivers one channel's records, as many at once as there are slots; a slow one holds up only its own slot.
func (d *Dispatcher) loop(ctx context.Context, channel string, wake <-chan struct{}) {
	work, cancel := finishing(ctx, stopGrace)
	defer cancel()
	slots := make(chan struct{}, d.parallel())
	defer func() {
		for range cap(slots) { // wait for those in hand
			slots <- struct{}{}
		}
	}()
	tick := time.NewTicker(or(d.Poll, defaultPoll))
	defer tick.Stop()
	var slow atomic.Bool // the mail server is away: no faster than the poll
	for ctx.Err() == nil {
		free := takeSlots(ctx, slots)
		claims, err := d.claim(ctx, channel, free)
		if err != nil {
			d.log().ErrorContext(ctx, "notices: claim", "channel", channel, "error", err)
		}
		for range free - len(claims) {
			<-slots
		}
		for _, c := range claims {
			go func() {
				defer func() { <-slots }()
				slow.Store(!d.handle(ctx, work, channel, c))
			}()
		}
		if free > 0 && len(claims) == free && !slow.Load() {
			continue
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-tick.C:
		}
	}
}

func (d *Dispatcher) claim(ctx context.Context, channel string, limit int) ([]billing.NoticeClaim, error) {
	if limit == 0 || ctx.Err() != nil {
		return nil, nil
	}
	claims, err := d.Notices.ClaimNotices(ctx, channel, limit, or(d.Lease, boundary.Patience(defaultLease)))
	if err != nil && ctx.Err() != nil {
		return nil, nil
	}
	return claims, err
}

// takeSlots waits for one free slot and takes all that are free with it.
func takeSlots(ctx context.Context, slots chan struct{}) int {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; ; n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n
		}
	}
}

// Once delivers one batch of each channel and returns how many records it took: for commands and tests that don't Run.
func (d *Dispatcher) Once(ctx context.Context) (int, error) {
	taken := 0
	for _, channel := range channels {
		claims, err := d.claim(ctx, channel, d.parallel())
		if err != nil {
			return taken, err
		}
		taken += len(claims)
		var wg sync.WaitGroup
		for _, c := range claims {
			wg.Go(func() { d.handle(ctx, ctx, channel, c) })
		}
		wg.Wait()
	}
	return taken, nil
}

// handle works on one record and reports whether the way out is open. A record's trouble is its own: a panic too.
func (d *Dispatcher) handle(ctx, work context.Context, channel string, c billing.NoticeClaim) (open bool) {
	defer func() {
		if r := recover(); r != nil {
			d.log().ErrorContext(work, "notice: panic", "notice", c.ID, "try", c.Try, "panic", fmt.Sprint(r))
			open = true
		}
	}()
	var err error
	if channel == billing.ChannelEmail {
		open, err = d.sendMail(ctx, work, c)
	} else {
		open, err = true, d.showInConsole(work, c)
	}
	if err != nil {
		d.log().ErrorContext(work, "notice", "notice", c.ID, "try", c.Try, "error", err)
	}
	return open
}

func (d *Dispatcher) parallel() int {
	if d.Parallel > 0 {
		return d.Parallel
	}
	return defaultParallel
}

func (d *Dispatcher) log() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.Default()
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// finishing returns a context that outlives ctx by grace, so that what is in hand can be brought to its end.
func finishing(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return work, func() { stop(); cancel() }
}
