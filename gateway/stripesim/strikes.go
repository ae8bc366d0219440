package stripesim

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const proxyPage = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"

// strikeBefore answers, or doesn't, without executing anything. The key stays free.
func (s *Simulator) strikeBefore(w http.ResponseWriter, r *http.Request, hit strike, key string) {
	switch hit.fault {
	case TimeoutBefore:
		s.hang(w, r)
	case Error500Before:
		writeError(w, serverError())
	case Error503Before:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, proxyPage)
	case ResetBefore:
		reset(w, nil)
	case RateLimited429:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(hit.fault.length(hit.delay).Seconds()))))
		writeError(w, rateLimited())
	case Conflict409:
		writeError(w, keyInUse(key))
	case Unauthorized401:
		writeError(w, unauthorized("Invalid API Key provided: sk_test_****"))
	default: // see before
		writeError(w, serverError())
	}
}

// strikeAfter answers with the true result, or with what the fault makes of it. The effect is committed.
func (s *Simulator) strikeAfter(w http.ResponseWriter, r *http.Request, hit strike, result stored) {
	body := result.body
	switch hit.fault {
	case TimeoutAfter:
		s.hang(w, r)
		return
	case Error500After:
		writeError(w, serverError())
		return
	case Reset:
		reset(w, body)
		return
	case Slow:
		if !s.hold(r, hit.fault.length(hit.delay)) {
			return
		}
	case Malformed:
		body = body[:len(body)*2/3]
	case MalformedHTML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(proxyPage))
		return
	case MalformedEnum:
		body = bytes.Replace(body, []byte(`"status":"succeeded"`), []byte(`"status":"entangled"`), 1)
	case MalformedType:
		body = bytes.Replace(body, []byte(`"amount":`), []byte(`"amount":"many","was":`), 1)
	case MalformedEmpty:
		body = []byte("{}")
	case HugeBody:
		s.flood(w, body)
		return
	default: // no fault, or one that left the answer alone
	}
	writeBody(w, result.status, body)
}

// hang holds a request without an answer, then cuts the connection.
func (s *Simulator) hang(w http.ResponseWriter, r *http.Request) {
	s.hold(r, s.opt.Hang)
	reset(w, nil)
}

// hold waits, or returns false when the caller has gone or the simulator stops.
func (s *Simulator) hold(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-s.closing.Done():
	}
	return false
}

// reset drops the TCP connection with a RST; with a body it sends the head and the first half before that.
func reset(w http.ResponseWriter, body []byte) {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 or a recorder: the nearest thing is an aborted answer
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	if body != nil {
		fmt.Fprintf(buffer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2])
		_ = buffer.Flush()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// flood answers with valid JSON of 64 MB, or as much of it as the caller takes.
func (s *Simulator) flood(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(append([]byte(`{"padding":"`), strings.Repeat("x", 1<<10)...)); err != nil {
		return
	}
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for range 64 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	_, _ = w.Write(append([]byte(`",`), body[1:]...))
}
