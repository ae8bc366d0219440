package console_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"recoup/console"
)

// stream reads the events of one open page.
type stream struct {
	t      testing.TB
	events chan string
	body   interface{ Close() error }
}

func (h *shop) listen() *stream {
	h.t.Helper()
	h.untilHeard()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	h.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.web.URL+"/live", nil)
	h.must(err)
	answer, err := http.DefaultClient.Do(request)
	h.must(err)
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		h.t.Fatalf("/live: status %d, %s", answer.StatusCode, kind)
	}
	s := &stream{t: h.t, events: make(chan string, 100), body: answer.Body}
	h.t.Cleanup(func() { answer.Body.Close() })
	go func() {
		defer close(s.events)
		name := ""
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = text
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				s.events <- name + " " + data
			}
		}
	}()
	s.want("hello {}")
	return s
}

// untilHeard waits for the hub's connection, so that nothing told from now on is lost.
func (h *shop) untilHeard() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for heard := false; !heard; {
		const listening = `select exists (select 1 from pg_stat_activity where query = 'listen recoup_changes' and state = 'idle'
			and datname = current_database())`
		h.must(h.Pool().QueryRow(ctx, listening).Scan(&heard))
	}
}

// want waits for an event; others may come before it.
func (s *stream) want(event string) {
	s.t.Helper()
	for got := range s.events {
		if got == event {
			return
		}
	}
	s.t.Fatalf("the stream ended without %q", event)
}

func TestLiveTellsWhichCaseChanged(t *testing.T) {
	h := newShop(t)
	h.account("a", "A", "UTC", "visa 4242")
	h.invoice("inv-1", "N-1", "a", amount("USD 10"))
	first, second := h.listen(), h.listen()
	h.exec(`select pg_notify('recoup_changes', 'inv-other')`)
	first.want(`change {"cases":["inv-other"]}`)
	second.want(`change {"cases":["inv-other"]}`)
	h.open("inv-1") // a transaction of the store tells by itself
	first.want(`change {"cases":["inv-1"]}`)
}

func TestLivePollsForWhatNoNotificationSaid(t *testing.T) {
	h := newShop(t)
	s := h.listen()
	// The first look only notes where things stand; the next one that differs tells. A row at a time makes each look differ.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = h.Pool().Exec(context.Background(), `insert into audit_log (actor, act) values ('test', 'silent')`)
			}
		}
	}()
	s.want(`change {"cases":[]}`)
	s.want(`change {"cases":[]}`)
}

func TestLiveComesBackAfterItsConnectionDies(t *testing.T) {
	h := newShop(t)
	s := h.listen()
	h.exec(`select pg_notify('recoup_changes', 'before')`)
	s.want(`change {"cases":["before"]}`)
	h.exec(`select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %' and datname = current_database()`)
	s.want(`change {"cases":[]}`) // whatever happened meanwhile
	h.exec(`select pg_notify('recoup_changes', 'after')`)
	s.want(`change {"cases":["after"]}`)
}

func TestServeStopsWithOpenPages(t *testing.T) {
	h := newShop(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	at := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- console.Serve(ctx, "127.0.0.1:0", console.Options{Store: h.Store}, func(addr string) { at <- addr })
	}()
	answer, err := http.Get("http://" + <-at + "/live")
	h.must(err)
	defer answer.Body.Close()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("an open page keeps the console from stopping")
	}
}

func TestServeSaysWhenItsPortIsTaken(t *testing.T) {
	h := newShop(t)
	addr := strings.TrimPrefix(h.web.URL, "http://")
	err := console.Serve(context.Background(), addr, console.Options{Store: h.Store}, nil)
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("a taken port: %v", err)
	}
}
