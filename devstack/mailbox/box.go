package mailbox

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errNoMail is a mail that was never there or made room for newer ones.
var errNoMail = errors.New("no such mail")

// box is the mails on disk, one file each, with their summaries in memory.
// A file is the mail as it came, below a few headers that a delivering server
// adds: who sent it to whom, and when.
type box struct {
	dir string
	max int

	mu    sync.RWMutex
	next  int
	mails []Summary // oldest first
}

const (
	fileSuffix     = ".eml"
	headerReturn   = "Return-Path"
	headerTo       = "Delivered-To"
	headerReceived = "X-Mailbox-Received"
)

func openBox(dir string, limit int) (*box, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	b := &box{dir: dir, max: limit, next: 1}
	for _, entry := range entries {
		id, ok := idOf(entry.Name())
		if !ok {
			continue // a half-written file, or not ours
		}
		b.next = max(b.next, id+1)
		m, err := b.read(id)
		if err != nil {
			return nil, err
		}
		b.mails = append(b.mails, m.Summary)
	}
	slices.SortFunc(b.mails, func(x, y Summary) int { return cmp.Compare(x.ID, y.ID) })
	return b, b.dropOldest()
}

func idOf(name string) (int, bool) {
	number, isMail := strings.CutSuffix(name, fileSuffix)
	id, err := strconv.Atoi(number)
	return id, isMail && err == nil && id > 0
}

func (b *box) path(id int) string {
	return filepath.Join(b.dir, fmt.Sprintf("%08d%s", id, fileSuffix))
}

// add stores a mail under the next number.
func (b *box) add(from string, to []string, raw []byte) error {
	var file bytes.Buffer
	fmt.Fprintf(&file, "%s: <%s>\r\n", headerReturn, from)
	for _, address := range to {
		fmt.Fprintf(&file, "%s: %s\r\n", headerTo, address)
	}
	fmt.Fprintf(&file, "%s: %s\r\n", headerReceived, time.Now().UTC().Format(time.RFC3339Nano))
	file.Write(raw)

	b.mu.Lock()
	defer b.mu.Unlock()
	m := parse(b.next, file.Bytes())
	// Written aside and renamed: a killed process leaves no half of a mail.
	aside := filepath.Join(b.dir, "incoming")
	if err := os.WriteFile(aside, file.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(aside, b.path(b.next)); err != nil {
		return err
	}
	b.next++
	b.mails = append(b.mails, m.Summary)
	return b.dropOldest()
}

func (b *box) dropOldest() error {
	for len(b.mails) > b.max {
		if err := os.Remove(b.path(b.mails[0].ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		b.mails = b.mails[1:]
	}
	return nil
}

func (b *box) raw(id int) ([]byte, error) {
	raw, err := os.ReadFile(b.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoMail
	}
	return raw, err
}

func (b *box) read(id int) (Mail, error) {
	raw, err := b.raw(id)
	if err != nil {
		return Mail{}, err
	}
	return parse(id, raw), nil
}

// query selects mails; the zero value selects all.
type query struct {
	to     string // part of a recipient's address, in any case
	before int    // older than this number
	after  int    // newer than this number
	limit  int
}

// list gives the selected mails, newest first, and how many there are in all
// for the recipient.
func (b *box) list(q query) (page []Summary, total int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	page = []Summary{}
	for _, m := range slices.Backward(b.mails) {
		if !m.sentTo(q.to) {
			continue
		}
		total++
		if (q.before == 0 || m.ID < q.before) && m.ID > q.after && len(page) < q.limit {
			page = append(page, m)
		}
	}
	return page, total
}

func (s Summary) sentTo(part string) bool {
	part = strings.ToLower(strings.TrimSpace(part))
	return part == "" || slices.ContainsFunc(s.To, func(address string) bool {
		return strings.Contains(strings.ToLower(address), part)
	})
}
