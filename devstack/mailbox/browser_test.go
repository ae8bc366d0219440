package mailbox

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// phone opens a browser with a narrow window.
func phone(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(360, 640)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// In a real browser: a mail appears without reloading, and whoever stands on a
// link by keyboard stays there.
func TestNewMailAppearsByItself(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	send(t, m, "ada@example.com", "Subject: first\n\nhello\n")
	ctx := phone(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(m.URL()+"/?to=ada"), chromedp.Focus(".mails a")); err != nil {
		t.Fatal(err)
	}
	eval[bool](t, ctx, `window.sameDocument = true`)
	send(t, m, "bob@example.com", "Subject: not for Ada\n\nhello\n")
	send(t, m, "ada@example.com", "Subject: second, "+strings.Repeat("unbroken", 20)+"\n\nhello\n")
	if err := chromedp.Do(ctx, chromedp.WaitVisible(`a[href="/messages/3"]`)); err != nil {
		t.Fatal(err)
	}
	if !eval[bool](t, ctx, `window.sameDocument === true`) {
		t.Error("the page was reloaded")
	}
	if got := eval[string](t, ctx, `document.activeElement.getAttribute("href") ?? document.activeElement.tagName`); got != "/messages/1" {
		t.Errorf("the focus is on %s, want the first mail", got)
	}
	if got := eval[[]string](t, ctx, `[...document.querySelectorAll(".subject")].map(e => e.textContent.slice(0, 6))`); strings.Join(got, " ") != "second first" {
		t.Errorf("the list shows %q", got)
	}
	for _, path := range []string{"/", "/messages/3"} {
		if err := chromedp.Do(ctx, chromedp.Navigate(m.URL()+path)); err != nil {
			t.Fatal(err)
		}
		if wide := eval[int](t, ctx, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s is %d pixels wider than a phone", path, wide)
		}
	}
}

func TestMailMayNotRunInTheBrowser(t *testing.T) {
	m := start(t, t.TempDir(), 0)
	send(t, m, "ada@example.com", "Subject: x\nContent-Type: text/html\n\n<title>mail</title><script>document.title = 'ran'</script><p id=p>hello</p>\n")
	ctx := phone(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(m.URL()+"/messages/1/html"), chromedp.WaitVisible("#p")); err != nil {
		t.Fatal(err)
	}
	if got := eval[string](t, ctx, `document.title`); got != "mail" {
		t.Errorf("the title is %q: the mail's script ran", got)
	}
}
