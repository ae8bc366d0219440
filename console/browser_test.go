package console_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"recoup/billing"
	"recoup/store"
)

// browser is one tab of a real browser, with everything it complained about.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

func chromiumPath(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Fatal("these tests look at the pages in a real browser: install chromium (Debian: apt-get install chromium), or name one in CHROMIUM")
	return ""
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(chromiumPath(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.NoFirstRun, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("start %s: %v", chromiumPath(t), err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	call(b, runtime.Enable, cdp.Empty{})
	return b
}

// hear notes what a person would see in red in the browser's own console.
func (b *browser) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complain("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complain(fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complain("log: " + e.Entry.Text + " " + e.Entry.URL)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 500 {
			b.complain(fmt.Sprintf("status %d: %s", e.Response.Status, e.Response.URL))
		}
	}
}

func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

func (b *browser) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, text)
}

// calm fails when the browser complained since the last call.
func (b *browser) calm(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Errorf("%s: %s", where, p)
	}
	b.problems = nil
}

// forget drops complaints that hold a text.
func (b *browser) forget(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = slices.DeleteFunc(b.problems, func(p string) bool { return strings.Contains(p, text) })
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

func (b *browser) size(width, height int64, scheme string) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

func eval[T any](b *browser, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("browser: %s: %v", script, err)
	}
	return v
}

// until waits for a script to answer true; the browser polls, so that nothing sleeps here.
func (b *browser) until(what, script string) {
	b.t.Helper()
	err := chromedp.Do(b.ctx, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second)))
	if err != nil {
		b.t.Fatalf("waiting for %s: %v", what, errors.Join(err, fmt.Errorf("page: %s", eval[string](b, "document.body.innerText.slice(0, 2000)"))))
	}
}

// shoot writes a picture of the whole page for people to look at, when RECOUP_SCREENSHOTS names a folder.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("RECOUP_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// everyPage is each page with the story on it.
func (h *shop) everyPage() map[string]string {
	notice := h.get("/notices").body
	_, after, _ := strings.Cut(notice, `href="/notices/`)
	id, _, _ := strings.Cut(after, `"`)
	var many store.BatchOrder
	many.Kind, many.Order = billing.BatchRelease, store.Order{Actor: "ada", Reason: "their bank is back", RequestID: "looks"}
	for n, invoice := range []billing.InvoiceID{"inv-acme", "inv-kyoto", "inv-lima"} {
		many.Of.Invoices = append(many.Of.Invoices, billing.ListedInvoice{Line: n + 1, ID: invoice})
	}
	batch, _, err := h.RecordBatch(h.t.Context(), many)
	h.must(err)
	h.must(h.CarryOutItem(h.t.Context(), batch.ID, 1))
	h.must(h.CarryOutItem(h.t.Context(), batch.ID, 2))
	return map[string]string{
		"batches": "/batches", "batch": "/batches/" + string(batch.ID),
		"overview": "/", "cases": "/cases", "finished": "/cases?stage=finished", "nothing": "/cases?q=nothing-like-it", "case-retrying": "/cases/inv-acme",
		"case-paid": "/cases/inv-kyoto", "case-suspended": "/cases/inv-lima", "case-unknown": "/cases/inv-kuwait", "case-held": "/cases/inv-brooklyn",
		"case-evil": "/cases/inv-evil", "accounts": "/accounts", "account": "/accounts/acme", "account-funds": "/accounts/kyoto",
		"account-suspended": "/accounts/lima", "notices": "/notices", "notice": "/notices/" + id, "error": "/cases/no-such-case", "audit-log": "/audit-log",
	}
}

func TestPagesFitPhonesAndDesks(t *testing.T) {
	h := newShop(t)
	h.story()
	b := newBrowser(t)
	for name, path := range h.everyPage() {
		for _, look := range []struct {
			width, height int64
			scheme        string
		}{{390, 844, "light"}, {390, 844, "dark"}, {1280, 900, "light"}, {1280, 900, "dark"}} {
			where := fmt.Sprintf("%s-%d-%s", name, look.width, look.scheme)
			b.size(look.width, look.height, look.scheme)
			b.do(chromedp.Navigate(h.web.URL + path))
			b.shoot(where)
			if wide := eval[string](b, overflowing); wide != "" {
				t.Errorf("%s: wider than the window: %s", where, wide)
			}
			if low := eval[string](b, lowContrast); low != "" {
				t.Errorf("%s: contrast below AA: %s", where, low)
			}
			if name == "error" {
				b.forget("status of 404") // a missing page is rightly logged as one
			}
			b.calm(where)
		}
	}
}

// TestTheLooksChecksSeeFaults plants both faults: a check that finds nothing anywhere proves nothing.
func TestTheLooksChecksSeeFaults(t *testing.T) {
	h := newShop(t)
	b := newBrowser(t)
	b.size(390, 844, "light")
	b.do(chromedp.Navigate(h.web.URL + "/"))
	if wide, low := eval[string](b, overflowing), eval[string](b, lowContrast); wide != "" || low != "" {
		t.Fatalf("already before: %s %s", wide, low)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("h1").style.width = "500px"`))
	if eval[string](b, overflowing) == "" {
		t.Error("a heading wider than the phone is not seen")
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("h1").style.color = "#999"`))
	if eval[string](b, lowContrast) == "" {
		t.Error("grey on grey is not seen")
	}
	b.do(chromedp.Evaluate[chromedp.Void](`console.error("planted"); setTimeout(() => { throw new Error("planted") })`))
	b.until("the event loop", "true")
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) < 2 {
		t.Errorf("the browser's complaints are not heard: %q", b.problems)
	}
}

// overflowing names what makes the page scroll sideways.
const overflowing = `(() => {
	const limit = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= limit) return "";
	return [...document.querySelectorAll("main *, header *")].filter(e => e.getBoundingClientRect().right > limit + 1 && !e.closest(".hidden"))
		.slice(0, 5).map(e => e.tagName + "." + e.className + " " + Math.round(e.getBoundingClientRect().right) + " " + e.textContent.slice(0, 40)).join("; ") || "something";
})()`

// lowContrast names texts whose contrast is below WCAG AA.
const lowContrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgb = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
	const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
	const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
	const bad = [];
	for (const e of document.querySelectorAll("body *")) {
		if (e.closest(".hidden, svg, [hidden]") || e.matches(".skip") || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		if (!e.checkVisibility()) continue;
		const style = getComputedStyle(e), a = light(rgb(style.color)), b = light(ground(e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) bad.push(e.tagName + "." + e.className + " " + ratio.toFixed(2) + " " + e.textContent.trim().slice(0, 30));
	}
	return bad.slice(0, 5).join("; ");
})()`

// noScript turns the page's own JavaScript off.
func (b *browser) noScript() {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}
