// Command story writes the sample story: the cast of accounts, methods, balances and invoices that `make run` plays.
//
//	go run ./examples/story examples
//
// It writes story.jsonl and story-later.jsonl into the folder given. A test keeps the committed files equal to what it writes.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./examples/story FOLDER")
		os.Exit(2)
	}
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "story:", err)
			os.Exit(1)
		}
	}
}

// files returns the story's files by name.
func files() map[string][]byte {
	return map[string][]byte{"story.jsonl": write(story()), "story-later.jsonl": write(later())}
}

func write(objects []any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	for _, o := range objects {
		if err := e.Encode(o); err != nil {
			panic(err) // plain structs of strings: only a defect of this program gets here
		}
	}
	return text.Bytes()
}

// The objects of an import file (docs/import.md).

type account struct {
	Kind          string    `json:"kind"`
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Parent        string    `json:"parent,omitempty"`
	TimeZone      string    `json:"time_zone"`
	Locale        string    `json:"locale"`
	Country       string    `json:"country"`
	Policy        string    `json:"policy"`
	CreditSharing bool      `json:"credit_sharing,omitempty"`
	Contacts      []contact `json:"contacts"`
}

type contact struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type method struct {
	Kind       string `json:"kind"`
	ID         string `json:"id"`
	Account    string `json:"account"`
	Token      string `json:"token"`
	MethodKind string `json:"method_kind"`
	Brand      string `json:"brand,omitempty"`
	Last4      string `json:"last4,omitempty"`
	Expiry     string `json:"expiry,omitempty"`
	Position   int    `json:"position"`
}

type credit struct {
	Kind          string   `json:"kind"`
	ID            string   `json:"id"`
	Account       string   `json:"account"`
	Amount        string   `json:"amount"`
	Currency      string   `json:"currency"`
	StartsOn      string   `json:"starts_on"`
	ExpiresOn     string   `json:"expires_on,omitempty"`
	Services      []string `json:"services,omitempty"`
	IncludedKinds []string `json:"included_kinds,omitempty"`
	Reason        string   `json:"reason"`
}

type deposit struct {
	Kind      string `json:"kind"`
	ID        string `json:"id"`
	Account   string `json:"account"`
	Amount    string `json:"amount"`
	Currency  string `json:"currency"`
	Reference string `json:"reference"`
	SettledOn string `json:"settled_on,omitempty"`
}

type invoice struct {
	Kind        string `json:"kind"`
	ID          string `json:"id"`
	Number      string `json:"number"`
	Account     string `json:"account"`
	DueDate     string `json:"due_date"`
	Currency    string `json:"currency"`
	Marketplace bool   `json:"marketplace,omitempty"`
	Lines       []line `json:"lines"`
}

type line struct {
	Service     string `json:"service"`
	ChargeKind  string `json:"charge_kind,omitempty"`
	Description string `json:"description"`
	PeriodStart string `json:"period_start"`
	Amount      string `json:"amount"`
}
