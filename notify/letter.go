package notify

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"path"
	"sort"
	"strings"
	"sync"
	"text/template"

	"recoup/billing"
)

// Letter is a notice in words, before it is laid out. It says everything but the reader's name and address, so its text may be kept.
type Letter struct {
	Kind        string
	Subject     string
	Heading     string
	Body        []string // paragraphs
	Rows        []Row
	Next        []string // paragraphs: what happens next and when
	ActionLabel string
	ActionURL   string
}

//go:embed templates/*.tmpl layout/letter.txt layout/letter.html
var templateFiles embed.FS

// fallbackKind is what is sent when a kind's own template is missing or breaks: a notice is never lost to a mistake in its wording.
const fallbackKind = "fallback"

var letters = sync.OnceValue(func() map[string]*template.Template {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // embedded: only a broken build gets here
	}
	out := map[string]*template.Template{}
	for _, f := range files {
		kind := strings.TrimSuffix(f.Name(), ".tmpl")
		out[kind] = template.Must(template.New(kind).Option("missingkey=error").ParseFS(templateFiles, path.Join("templates", f.Name())))
	}
	return out
})

// Kinds returns every kind of notice that has a wording of its own, sorted (N1).
func Kinds() []string {
	var kinds []string
	for kind := range letters() {
		if kind != fallbackKind {
			kinds = append(kinds, kind)
		}
	}
	sort.Strings(kinds)
	return kinds
}

// Write words a notice from the ledger's facts (N3). When the wording of its kind is missing or breaks, the letter is a plain one that
// points to the account, and the error says what broke: the letter can be sent all the same (faults.md F6).
func Write(f billing.NoticeFacts, links Links) (Letter, error) {
	letter, err := write(f.Kind, f, links)
	if err == nil {
		return letter, nil
	}
	plainer, fallbackErr := write(fallbackKind, f, links)
	if fallbackErr != nil {
		plainer = Letter{
			Subject: "There is news about your account", Heading: "There is news about your account",
			Body:        []string{"Please look at your account for the details."},
			ActionLabel: "See your account", ActionURL: links.account(f.Account.ID),
		}
	}
	plainer.Kind = f.Kind
	return plainer, fmt.Errorf("word notice %s of kind %s: %w", f.ID, f.Kind, err)
}

func write(kind string, f billing.NoticeFacts, links Links) (letter Letter, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("template: %v", r)
		}
	}()
	t := letters()[kind]
	if t == nil {
		return Letter{}, fmt.Errorf("there is no wording for this kind")
	}
	v, err := viewOf(f)
	if err != nil {
		return Letter{}, err
	}
	block := func(name string) string {
		var b bytes.Buffer
		if err == nil {
			err = t.ExecuteTemplate(&b, name, v)
		}
		return b.String()
	}
	letter = Letter{
		Kind: kind, Subject: oneLine(block("subject")), Heading: oneLine(block("heading")),
		Body: paragraphs(block("body")), Rows: rows(block("rows")), Next: paragraphs(block("next")),
	}
	switch action := oneLine(block("action")); action {
	case "pay":
		letter.ActionLabel, letter.ActionURL = "Pay now", links.pay(f.Account.ID)
	case "methods":
		letter.ActionLabel, letter.ActionURL = "Manage payment methods", links.methods(f.Account.ID)
	case "account":
		letter.ActionLabel, letter.ActionURL = "See your account", links.account(f.Account.ID)
	default:
		if err == nil {
			err = fmt.Errorf("unknown action %q", action)
		}
	}
	return letter, err
}

// words splits at blanks and line ends; a no-break space keeps an amount and its currency together.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' })
}

func oneLine(s string) string { return strings.Join(words(s), " ") }

// paragraphs splits text at blank lines; inside a paragraph line ends are blanks.
func paragraphs(s string) []string {
	var out []string
	for _, p := range strings.Split(strings.ReplaceAll(s, "\r", ""), "\n\n") {
		if p = oneLine(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// rows reads lines "Label: value". Values can't make lines of their own: plain took their line ends.
func rows(s string) []Row {
	var out []Row
	for _, line := range strings.Split(s, "\n") {
		label, value, ok := strings.Cut(oneLine(line), ": ")
		if ok {
			out = append(out, Row{label, value})
		}
	}
	return out
}

// Text returns the letter as plain text without salutation: what the console shows and the send record keeps.
func (l Letter) Text() string {
	var b strings.Builder
	for _, p := range l.Body {
		b.WriteString(wrap(p) + "\n\n")
	}
	width := 0
	for _, r := range l.Rows {
		width = max(width, len([]rune(r.Label)))
	}
	for _, r := range l.Rows {
		b.WriteString("  " + r.Label + ":" + strings.Repeat(" ", width-len([]rune(r.Label))+2) + r.Value + "\n")
	}
	if len(l.Rows) > 0 {
		b.WriteString("\n")
	}
	for _, p := range l.Next {
		b.WriteString(wrap(p) + "\n\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// wrapAt is the width of a text mail's lines, in characters.
const wrapAt = 76

func wrap(paragraph string) string {
	var b strings.Builder
	used := 0
	for i, word := range words(paragraph) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case used+1+n > wrapAt:
			b.WriteString("\n")
			used = 0
		default:
			b.WriteString(" ")
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}

var (
	textLayout = sync.OnceValue(func() *template.Template {
		return template.Must(template.ParseFS(templateFiles, "layout/letter.txt"))
	})
	htmlLayout = sync.OnceValue(func() *htmltemplate.Template {
		return htmltemplate.Must(htmltemplate.ParseFS(templateFiles, "layout/letter.html"))
	})
)

// addressed is a letter with its reader, for the layouts.
type addressed struct {
	Letter
	Greeting string
	Account  string
	Sender   string
	Preview  string
}

// Bodies lays the letter out for one contact: the text and the HTML part of a mail. Sender is the name the mail comes from.
func (l Letter) Bodies(a billing.Account, c billing.Contact, sender string) (text, html string, err error) {
	of := addressed{Letter: l, Greeting: greeting(c.Name), Account: plain(a.Name), Sender: plain(sender)}
	if of.Account == "" {
		of.Account = string(a.ID)
	}
	if len(l.Body) > 0 {
		of.Preview = l.Body[0]
	}
	var t, h bytes.Buffer
	if err := textLayout().Execute(&t, of); err != nil {
		return "", "", fmt.Errorf("lay out text: %w", err)
	}
	if err := htmlLayout().Execute(&h, of); err != nil {
		return "", "", fmt.Errorf("lay out HTML: %w", err)
	}
	return t.String(), h.String(), nil
}
