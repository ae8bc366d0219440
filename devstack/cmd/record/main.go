// Command record plays the sample story and a dozen scenes more on a stack of its own and writes the history of every case to a folder, for the replay test.
// `make record` runs it after a change of the workflows that old runs can follow (or that comes with a version).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/encoding/protojson"

	"recoup/billing"
	"recoup/devstack"
	"recoup/store"
	"recoup/workflows"
)

// storyTime is how long the story may take to come to rest.
const storyTime = 4 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "workflows/testdata/histories", "write the histories to `DIR`")
	base := flag.Int("port-base", 27400, "number all ports from `N` on")
	flag.Parse()
	if err := run(ctx, *out, *base); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, base int) error {
	ports, err := devstack.PortsFrom(base)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "recoup-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	recorded := make(chan error, 1)
	err = devstack.Run(ctx, devstack.Options{
		DataDir: dir, Ports: ports, Story: true, Out: os.Stdout, Log: slog.New(slog.DiscardHandler),
	}, devstack.Parts(), func(s *devstack.Stack) {
		go func() {
			recorded <- record(ctx, s, out)
			cancel()
		}()
	})
	select {
	case problem := <-recorded:
		return errors.Join(problem, err)
	default:
		return errors.Join(errors.New("stopped before everything was recorded"), err)
	}
}

func record(ctx context.Context, s *devstack.Stack, out string) error {
	db, err := store.Open(ctx, s.DatabaseURL())
	if err != nil {
		return err
	}
	defer db.Close()
	if err := waitForRest(ctx, db); err != nil {
		return err
	}
	temporal, err := client.Dial(client.Options{
		HostPort: s.Env()["TEMPORAL_ADDRESS"], Namespace: s.Env()["TEMPORAL_NAMESPACE"], Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer temporal.Close()
	fmt.Println("The sample story is told; the other scenes begin.")
	if err := (stage{db: db, temporal: temporal, gateway: s.Env()["RECOUP_STRIPE_URL"]}).playAll(ctx); err != nil {
		return err
	}
	cases, err := db.Pool().Query(ctx, `select id from cases order by id`)
	if err != nil {
		return err
	}
	var ids []string
	for cases.Next() {
		var id string
		if err := cases.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := cases.Err(); err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	l := list{}
	for _, id := range ids {
		h, err := write(ctx, temporal, id, out)
		if err != nil {
			return fmt.Errorf("case %s: %w", id, err)
		}
		l.add(id, h)
	}
	if err := os.WriteFile(filepath.Join(out, "README.md"), []byte(l.text()), 0o644); err != nil {
		return err
	}
	fmt.Printf("%d histories of %d different courses written to %s\n", len(ids), len(l.courses), out)
	return nil
}

// waitForRest waits until every case is finished or suspended, and the two of the last scene are reinstated.
func waitForRest(ctx context.Context, db *store.Store) error {
	ctx, cancel := context.WithTimeout(ctx, storyTime)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var atRest bool
		const query = `select count(*) > 40 and bool_and(finished_at is not null or stage in ('suspended', 'suspension_scheduled'))
			and (select count(*) from suspensions where lifted_at is not null) >= 2 from cases`
		if err := db.Pool().QueryRow(ctx, query).Scan(&atRest); err != nil {
			return err
		}
		if atRest {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the story did not come to rest in %s", storyTime)
		case <-tick.C:
		}
	}
}

// write stores one history as JSON, one event a line, so that a change of one shows as such.
func write(ctx context.Context, c client.Client, id, out string) (*history.History, error) {
	h := &history.History{}
	events := c.GetWorkflowHistory(ctx, workflows.CaseWorkflowID(billing.CaseID(id)), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return nil, err
		}
		h.Events = append(h.Events, e)
	}
	var b strings.Builder
	b.WriteString(`{"events":[` + "\n")
	for i, e := range h.Events {
		line, err := protojson.Marshal(e)
		if err != nil {
			return nil, err
		}
		b.Write(line)
		if i < len(h.Events)-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString("]}\n")
	return h, os.WriteFile(filepath.Join(out, fileOf(id)), []byte(b.String()), 0o644)
}

func fileOf(id string) string { return strings.ReplaceAll(id, "/", "_") + ".json" }
