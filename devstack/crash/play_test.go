package crash

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"recoup/billing"
	"recoup/boundary"
	"recoup/intake"
	"recoup/starter"
	"recoup/store"
	"recoup/workflows"
)

// cell is one telling of a story, with the labels to die at, one after the other; none tells the story as it is without a crash.
type cell struct {
	story  *story
	labels []boundary.Label
	id     string // the account
}

func (c cell) String() string {
	var labels []string
	for _, l := range c.labels {
		labels = append(labels, string(l))
	}
	return fmt.Sprintf("%s: %s [%s]", c.id, c.story.name, strings.Join(labels, ", then "))
}

func (c cell) at(l boundary.Label) bool {
	for _, armed := range c.labels {
		if armed == l {
			return true
		}
	}
	return false
}

// Bounds on one telling. Machines are busy: they only keep a hung test from hanging for ever.
const (
	tellingWait = 15 * time.Minute
	lookEvery   = 200 * time.Millisecond
	commandWait = time.Minute
	// newsWait is how long a telling that has ended waits for what it is armed for: a webhook that the gateway still delivers.
	newsWait = 6 * time.Second
)

// play is one cell being told.
type play struct {
	cell
	ctx   context.Context
	house *house
}

// tell tells the story to its end.
func (p *play) tell() error {
	if err := p.house.arm(p.id, p.labels); err != nil {
		return err
	}
	if err := p.takeIn("story", p.story.lines(p.id)); err != nil {
		return err
	}
	if err := p.start(); err != nil {
		return err
	}
	if p.story.people != nil {
		if err := p.story.people(p); err != nil {
			return err
		}
	}
	if p.story.later != "" {
		if err := p.until(p.story.later); err != nil {
			return err
		}
	}
	return p.awaitEnd()
}

// start opens the case, as the scan does. Where a process shall die of just that, a command does it, and in some stories the scan of a
// worker.
func (p *play) start() error {
	invoice := billing.InvoiceID(p.id + ".1")
	if !p.at(boundary.AfterOpen) && !p.at(boundary.AfterStart) {
		_, err := (&starter.Starter{Store: p.house.rig.Store, Temporal: p.house.rig.Temporal, Log: quietLog}).Start(p.ctx, invoice)
		return err
	}
	if p.house.leavesToScan(p.story) {
		return nil
	}
	return p.command("starter", "start", string(invoice))
}

// takeIn imports lines: with the command where it shall die of it, else in this process.
func (p *play) takeIn(what string, all []string) error {
	name := p.id + "." + what + ".jsonl"
	if p.at(boundary.AfterImport) {
		path, err := p.house.rig.ImportFile(name, all)
		if err != nil {
			return err
		}
		return p.command("import", path)
	}
	text := strings.Join(all, "\n")
	batch, err := intake.ReadLines(strings.NewReader(text))
	if err != nil {
		return err
	}
	_, err = p.house.rig.Store.Import(p.ctx, store.ImportInput{File: name, Format: "lines", Digest: sha256.Sum256([]byte(text)), Batch: batch})
	return err
}

// command gives a command, and again when the process died at a boundary: as a person who got no answer does.
func (p *play) command(args ...string) error {
	for range len(p.labels) + 1 {
		ctx, cancel := context.WithTimeout(p.ctx, commandWait)
		process, err := p.house.rig.Spawn("command", p.house.settings, args...)
		if err == nil {
			select {
			case <-process.Done():
			case <-ctx.Done():
				process.Kill9()
				err = fmt.Errorf("recoup %s: %w", strings.Join(args, " "), ctx.Err())
			}
		}
		cancel()
		if err != nil {
			return err
		}
		switch code := process.ExitCode(); code {
		case 0:
			return nil
		case 137:
			p.house.ended(process.Pid(), code)
		default:
			return fmt.Errorf("recoup %s ended with %d:\n%s", strings.Join(args, " "), code, process.Log())
		}
	}
	return fmt.Errorf("recoup %s died once too often", strings.Join(args, " "))
}

func (p *play) resolve(kind string, more ...string) error {
	args := []string{"case", "resolve", p.id + ".1", kind, "--request-id", p.id + "-" + kind, "--actor", "operator", "--reason", "the story says so"}
	return p.command(append(args, more...)...)
}

func (p *play) paidOutOfBand() error {
	return p.resolve("paid_out_of_band", "--amount", "50.00", "--currency", "USD", "--reference", "CHQ-"+p.id, "--received-on", "2025-11-20")
}

// update decides in the Temporal UI: the case's worker carries it out. An operator who gets no answer asks again.
func (p *play) update(r billing.Resolution) error {
	return p.eventually("the update is answered", func() error {
		ctx, cancel := context.WithTimeout(p.ctx, 15*time.Second)
		defer cancel()
		handle, err := p.house.rig.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: workflows.CaseWorkflowID(billing.CaseID(p.id + ".1")), UpdateID: r.RequestID, UpdateName: workflows.MessageResolve, Args: []any{r},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(ctx, nil)
		}
		var gone *serviceerror.NotFound
		if errors.As(err, &gone) {
			return p.decided(r.RequestID, err) // the case has ended: by this decision, or the test fails
		}
		return err
	})
}

func (p *play) decided(request string, otherwise error) error {
	var there bool
	if err := p.house.rig.Store.Pool().QueryRow(p.ctx, `select exists (select 1 from resolutions where request_id = $1)`, request).Scan(&there); err != nil || there {
		return err
	}
	return otherwise
}

// simulate moves the account's open payment at the gateway.
func (p *play) simulate(step string) error {
	var intent string
	const query = `select gateway_reference from attempts where account_id = $1 and state = 'action_required'`
	if err := p.house.rig.Store.Pool().QueryRow(p.ctx, query, p.id).Scan(&intent); err != nil {
		return err
	}
	return p.house.rig.Simulate(p.ctx, "/sim/payment_intents/"+intent+"/"+step, nil)
}

// letTimePass moves the start of the account's live case into the past, and has it re-read.
func (p *play) letTimePass(d time.Duration) error {
	const move = `with moved as (update cases set clock_started_at = clock_started_at - $2::interval where account_id = $1 and finished_at is null returning id),
		asked as (insert into pokes (case_id, reason) select id, 'time passed' from moved on conflict do nothing)
		select pg_notify('` + store.PokesChannel + `', '')`
	_, err := p.house.rig.Store.Pool().Exec(p.ctx, move, p.id, d)
	return err
}

// until waits until a query about the account is true.
func (p *play) until(query string) error {
	return p.eventually(query, func() error {
		var is bool
		if err := p.house.rig.Store.Pool().QueryRow(p.ctx, query, p.id).Scan(&is); err != nil {
			return err
		}
		if !is {
			return errors.New("not yet")
		}
		return nil
	})
}

// awaitEnd waits until nothing of the account moves any more (I17), and, when it is armed for something that has not come, a while longer.
func (p *play) awaitEnd() error {
	var since time.Time
	look := p.house.nextLook()
	return p.eventually("the story has ended", func() error {
		if moving := p.house.moves(p.id, look); moving != "" {
			since = time.Time{}
			return errors.New(moving)
		}
		if since.IsZero() {
			since = time.Now()
		}
		left, err := p.house.armed(p.id)
		if err == nil && left && time.Since(since) < newsWait {
			err = errors.New("armed for something that may still come")
		}
		return err
	})
}

func (p *play) eventually(what string, f func() error) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, p.ctx.Err(), err)
		}
	}
}
