package mailbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func start(t *testing.T, dir string, maxMails int) *Mailbox {
	t.Helper()
	m, err := Start(t.Context(), Options{Dir: dir, SMTPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", MaxMails: maxMails})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, m) })
	return m
}

func stop(t *testing.T, m *Mailbox) {
	t.Helper()
	if err := m.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func send(t *testing.T, m *Mailbox, to, mail string) {
	t.Helper()
	mail = strings.ReplaceAll(mail, "\n", "\r\n")
	if err := smtp.SendMail(m.SMTPAddr(), nil, "billing@shop.example", strings.Split(to, ","), []byte(mail)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, m *Mailbox, path string, wantStatus int) string {
	t.Helper()
	res, err := http.Get(m.URL() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != wantStatus {
		t.Fatalf("GET %s: %s: %s", path, res.Status, body)
	}
	return string(body)
}

type listing struct {
	Messages []Summary
	Total    int
}

func list(t *testing.T, m *Mailbox, parameters string) (l listing) {
	t.Helper()
	if err := json.Unmarshal([]byte(get(t, m, "/api/messages"+parameters, 200)), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

const alternative = `From: "Zoë's Shop" <billing@shop.example>
To: ada@example.com
Subject: =?utf-8?q?Zahlung_=C3=BCber_12,50_=E2=82=AC?=
Message-ID: <r1@shop.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Pay 12,50 =E2=82=AC at https://pay.example/?i=3D7&x=3D1.
--b
Content-Type: text/html; charset=utf-8

<html><head><title>x</title></head><body><script>alert(1)</script><a href="https://pay.example/">Pay</a></body></html>
--b--
`

func TestRoundTrip(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	send(t, m, "ada@example.com,bob@example.com", alternative)
	got := list(t, m, "")
	if got.Total != 1 || len(got.Messages) != 1 {
		t.Fatalf("%d mails, want 1", got.Total)
	}
	s := got.Messages[0]
	if s.Sender != "billing@shop.example" || strings.Join(s.To, " ") != "ada@example.com bob@example.com" {
		t.Errorf("envelope: %q to %q", s.Sender, s.To)
	}
	if s.Subject != "Zahlung über 12,50 €" || s.MessageID != "<r1@shop.example>" || s.Received.IsZero() {
		t.Errorf("summary: %+v", s)
	}
	var mail Mail
	if err := json.Unmarshal([]byte(get(t, m, fmt.Sprintf("/api/messages/%d", s.ID), 200)), &mail); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(mail.Text) != "Pay 12,50 € at https://pay.example/?i=7&x=1." || !strings.Contains(mail.HTML, "<script>") || mail.Problem != "" {
		t.Errorf("text %q, html %q, problem %q", mail.Text, mail.HTML, mail.Problem)
	}
	if len(mail.Headers) != 6 {
		t.Errorf("headers: %v", mail.Headers)
	}
}

func TestMailsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	m := start(t, dir, 0)
	send(t, m, "ada@example.com", "Subject: one\n\nhello\n")
	stop(t, m)
	// What a killed process may leave.
	if err := os.WriteFile(filepath.Join(dir, "incoming"), []byte("Subj"), 0o600); err != nil {
		t.Fatal(err)
	}
	m = start(t, dir, 0)
	send(t, m, "ada@example.com", "Subject: two\n\nhello\n")
	got := list(t, m, "").Messages
	if len(got) != 2 || got[0].Subject != "two" || got[1].Subject != "one" {
		t.Errorf("got %+v, want two, one", got)
	}
}

func TestOldestMailsMakeRoom(t *testing.T) {
	dir := t.TempDir()
	m := start(t, dir, 3)
	for i := range 5 {
		send(t, m, "ada@example.com", fmt.Sprintf("Subject: %d\n\nhello\n", i))
	}
	got := list(t, m, "")
	if got.Total != 3 || got.Messages[2].Subject != "2" {
		t.Errorf("got %+v, want 4, 3, 2", got)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%d files, want 3 (%v)", len(files), err)
	}
	get(t, m, "/messages/1", http.StatusNotFound)
}

func TestListIsFilteredAndPaged(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	for i := range 4 {
		send(t, m, fmt.Sprintf("User%d@example.com", i%2), fmt.Sprintf("Subject: %d\n\nhello\n", i))
	}
	for parameters, want := range map[string]string{
		"":                         "3 2 1 0",
		"?to=user1@":               "3 1",
		"?to=USER0":                "2 0",
		"?to=nobody":               "",
		"?limit=1":                 "3",
		"?after=2":                 "3 2",
		"?before=3":                "1 0",
		"?to=user1&before=4&after": "1",
	} {
		var subjects []string
		for _, s := range list(t, m, parameters).Messages {
			subjects = append(subjects, s.Subject)
		}
		if got := strings.Join(subjects, " "); got != want {
			t.Errorf("%s: got %q, want %q", parameters, got, want)
		}
	}
	if body := get(t, m, "/api/messages?limit=many", http.StatusBadRequest); !strings.Contains(body, "limit") {
		t.Errorf("the error does not name the field: %s", body)
	}
}

func TestPages(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	if page := get(t, m, "/", 200); !strings.Contains(page, "No mails") {
		t.Error("the empty list says nothing")
	}
	send(t, m, "ada@example.com", alternative)
	send(t, m, "ada@example.com", "Subject: <b>bold</b>\n\n<script>alert(1)</script> see http://x.example/a?b=1&c=2.\n")
	page := get(t, m, "/?to=ada", 200)
	if !strings.Contains(page, "Zahlung über 12,50 €") || strings.Contains(page, "<b>bold") || !strings.Contains(page, "2 mails") {
		t.Errorf("the list: %s", page)
	}
	page = get(t, m, "/messages/1", 200)
	if !strings.Contains(page, `sandbox="allow-popups`) || strings.Contains(page, "<script") {
		t.Errorf("the HTML part is not in a sandbox: %s", page)
	}
	page = get(t, m, "/messages/2", 200)
	if strings.Contains(page, "<script>") || !strings.Contains(page, `<a href="http://x.example/a?b=1&amp;c=2"`) {
		t.Errorf("the text is not escaped or has no link: %s", page)
	}
	if raw := get(t, m, "/messages/1/raw", 200); !strings.Contains(raw, "--b--") {
		t.Error("the raw mail is not whole")
	}
}

// Even opened outside the frame, a mail must not run as a page of ours.
func TestHTMLPartMayNotRun(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	send(t, m, "ada@example.com", alternative)
	res, err := http.Get(m.URL() + "/messages/1/html")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	policy := res.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "sandbox ") || strings.Contains(policy, "allow-scripts") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy: %s", policy)
	}
	if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), `<head><base target="_blank">`) {
		t.Errorf("links would open inside the frame: %s", body)
	}
}

func TestBrokenMailsAreShown(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	for i, mail := range []string{
		"no header at all\n",
		"Subject: cut\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhalf",
		"Subject: odd\nContent-Type: text/plain; charset=klingon\n\nqapla\n",
		"Subject: =?broken\nContent-Transfer-Encoding: base64\n\n!!!!\n",
		"",
	} {
		send(t, m, "ada@example.com", mail)
		get(t, m, fmt.Sprintf("/messages/%d", i+1), 200)
	}
	if got := list(t, m, "").Total; got != 5 {
		t.Errorf("%d mails, want 5", got)
	}
}

func TestAddressesThatRefuse(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	for to, code := range map[string]string{"bounce@example.com": "550", "Bounce+1@example.com": "550", "defer@example.com": "451"} {
		err := smtp.SendMail(m.SMTPAddr(), nil, "a@example.com", []string{to}, []byte("Subject: x\r\n\r\nx\r\n"))
		if err == nil || !strings.HasPrefix(err.Error(), code) {
			t.Errorf("%s: got %v, want %s", to, err, code)
		}
	}
	send(t, m, "bouncer@example.com", "Subject: x\n\nx\n")
}

func TestHugeMailIsRefused(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	huge := append([]byte("Subject: x\r\n\r\n"), make([]byte, MaxMailBytes+1)...)
	for i := 100; i < len(huge); i += 100 {
		huge[i] = '\n'
	}
	if err := smtp.SendMail(m.SMTPAddr(), nil, "a@example.com", []string{"ada@example.com"}, huge); err == nil {
		t.Error("accepted")
	}
	if got := list(t, m, "").Total; got != 0 {
		t.Errorf("%d mails, want 0", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(alternative))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=\n\n--\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := parse(7, raw)
		if m.ID != 7 || m.Size != len(raw) {
			t.Errorf("summary: %+v", m.Summary)
		}
		if _, err := json.Marshal(m); err != nil {
			t.Error(err)
		}
	})
}
