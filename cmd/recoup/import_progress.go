package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a long command is: a bar on a terminal, a plain line now and then elsewhere.
type progress struct {
	bar         *progressbar.ProgressBar // nil where there is no terminal
	out         io.Writer
	what        string
	done, total int64
	said        time.Time
}

// plainEvery is how often a plain line is printed; what is done sooner prints none.
const plainEvery = 5 * time.Second

func newProgress(out io.Writer, what string, total int64) *progress {
	p := &progress{out: out, what: what, total: total, said: time.Now()}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
	}
	return p
}

// Write counts bytes read, so that a reader can be teed into it.
func (p *progress) Write(b []byte) (int, error) {
	p.set(p.done+int64(len(b)), p.total)
	return len(b), nil
}

func (p *progress) set(done, total int64) {
	p.done, p.total = done, total
	switch {
	case p.bar != nil:
		p.bar.ChangeMax64(max(total, 1))
		_ = p.bar.Set64(min(done, max(total, 1))) // a broken bar must not stop the work
	case time.Since(p.said) >= plainEvery && total > 0:
		p.said = time.Now()
		fmt.Fprintf(p.out, "%s: %d%%\n", p.what, done*100/total)
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
