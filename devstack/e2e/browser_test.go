package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// shotsEnv names a folder that keeps the pictures, for people who want to look at them.
const shotsEnv = "RECOUP_SCREENSHOTS"

// sightWait bounds how long a page takes to show something. Temporal's UI is a program of its own that loads in the browser.
const sightWait = time.Minute

// browser is one tab of a real browser.
type browser struct {
	t   *testing.T
	ctx context.Context
	dir string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("this test looks at the pages in a real browser: install chromium (Debian: apt-get install chromium), or name one in CHROMIUM")
	}
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(sightWait))
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, dir: t.TempDir()}
	if dir := os.Getenv(shotsEnv); dir != "" {
		b.dir = dir
	}
	b.do(chromedp.EmulateViewport(1280, 900))
	return b
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// open goes to a page and waits until a person can read every text on it.
func (b *browser) open(name, url string, texts ...string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	for _, text := range texts {
		b.sees(name, text)
	}
	b.shoot(name)
}

// sees waits until a text is on the page; letter case is the style's. A page that is being left can't be read, so it looks again.
func (b *browser) sees(where, text string) {
	b.t.Helper()
	var page string
	deadline := time.Now().Add(sightWait)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		found, err := b.read()
		if err == nil {
			if page = found; strings.Contains(strings.ToLower(strings.Join(strings.Fields(page), " ")), strings.ToLower(text)) {
				return
			}
		}
		if time.Now().After(deadline) {
			b.shoot(where + "-without")
			b.t.Fatalf("%s does not show %q: %v\n%.5000s", where, text, err, page)
		}
	}
}

// readPage is every text on the page that a person can read. Temporal's UI shows what workflows say of themselves in frames, which get it
// by their address.
const readPage = `[document.body?.innerText ?? "", ...[...document.querySelectorAll("iframe")].map(f => {
	try { return decodeURIComponent(f.src.replaceAll("+", " ")) + " " + (f.contentDocument?.body?.innerText ?? "") } catch { return "" }
})].join(" ")`

func (b *browser) read() (string, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[string](readPage))
}

// misses fails when a text is on the page.
func (b *browser) misses(where, text string) {
	b.t.Helper()
	page, err := b.read()
	if err != nil {
		b.t.Fatal(err)
	}
	if strings.Contains(page, text) {
		b.t.Errorf("%s shows %q", where, text)
	}
}

// click follows the link or button that a selector names.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(selector))
}

// signIn clicks on who to be at the development provider.
func (b *browser) signIn(s *stack, as string) {
	b.t.Helper()
	b.open("sign-in", s.env["RECOUP_CONSOLE_URL"]+"/", "Who are you?", as)
	b.click(`button[value="` + as + `"]`)
	b.sees("the console", "Sign out")
}

// shoot takes a picture of the whole page.
func (b *browser) shoot(name string) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// TestPeopleSeeTheStory opens what a person opens after `make run`, in a real browser: the console's overview, cases and notices, the
// mailbox, and the case in Temporal's UI.
func TestPeopleSeeTheStory(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	s.waitForStory(t)
	b := newBrowser(t)
	b.signIn(s, "ada")
	console, ui := s.env["RECOUP_CONSOLE_URL"], s.env["RECOUP_TEMPORAL_UI_URL"]

	b.open("overview", console+"/", "Overview", "Still due", "Collected today", "Suspended", "Last events")
	b.open("cases-suspended", console+"/cases?stage=suspended", "Rosewood Theatre", "Tundra Outdoor Oy", "210.00")
	b.misses("the suspended cases", "Northwind")
	b.open("case-by-backup", console+"/cases/inv-xenia-1", "2025-10/XENIA/1", "Everything that happened", "9995", "4444", "$740.00")
	b.open("case-suspended", console+"/cases/inv-quartz-1", "What happens next", "Suspended", "Decide", "66,000", "Payment methods in order")
	b.open("case-reinstated", console+"/cases/inv-peregrine-1", "2025-10/PEREGRINE/1", "Everything that happened")
	b.open("account", console+"/accounts/ironwood", "Ironwood Games", "4242")
	b.open("notices", console+"/notices", "Rosewood")
	b.open("mailbox", s.mailbox+"/?to=quartz", "Your service is suspended")
	b.click(".mails a")
	b.sees("the mail", "Daichi Hayashi")
	b.shoot("mail")

	b.open("temporal-cases", ui+"/namespaces/"+namespace+"/workflows?query="+"WorkflowType%3D%22Case%22", "case/inv-", "Completed", "Running")
	run, _ := s.runOf(t, "inv-quartz-1")
	workflow := ui + "/namespaces/" + namespace + "/workflows/case%2Finv-quartz-1/" + run
	b.open("temporal-case", workflow+"/history", "case/inv-quartz-1", "Running", "Event History", "Timer Started", "ReviewCase")
	b.sees("a step in Temporal's UI", "Credits and funds, then what comes next")
	b.open("temporal-case-says", workflow+"/user-metadata", "Invoice 2025-10/QUARTZ/1", "Collects invoice", "waiting for the closing of the account")
}

// TestCaseLinksToTemporal: the button on a case's page leads to the workflow in Temporal's UI.
func TestCaseLinksToTemporal(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	s.waitForStory(t)
	b := newBrowser(t)
	b.signIn(s, "sam")
	b.open("case", s.env["RECOUP_CONSOLE_URL"]+"/cases/inv-rosewood-1", "Workflow in Temporal")
	b.click(`a.button[href*="/workflows/"]`)
	b.sees("the linked page", "case/inv-rosewood-1")
	b.shoot("temporal-linked")
}
