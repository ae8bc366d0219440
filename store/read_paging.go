package store

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"recoup/billing"
)

// present is SQL for the instant a page speaks of: Postgres' own now(), or the clock that a test has set (SetNow).
func (s *Store) present() string {
	if s.testNow == nil {
		return "now()"
	}
	return "'" + s.testNow().UTC().Format("2006-01-02 15:04:05.999999") + "+00'::timestamptz"
}

// atPresent puts present in the place of now() in a query of ours.
func (s *Store) atPresent(sql string) string { return strings.ReplaceAll(sql, "now()", s.present()) }

// conditions gathers the where clause of a list: every value is a parameter, never part of the text.
type conditions struct {
	clauses []string
	args    []any
}

// add appends a condition in which each ? stands for the next value.
func (c *conditions) add(clause string, values ...any) {
	for _, v := range values {
		c.args = append(c.args, v)
		clause = strings.Replace(clause, "?", "$"+strconv.Itoa(len(c.args)), 1)
	}
	c.clauses = append(c.clauses, clause)
}

func (c *conditions) where() string {
	if len(c.clauses) == 0 {
		return ""
	}
	return " where " + strings.Join(c.clauses, " and ")
}

const pageDefault = 50

// pageLimit bounds the size of a page.
func pageLimit(asked int) int {
	switch {
	case asked <= 0:
		return pageDefault
	case asked > PageMax:
		return PageMax
	}
	return asked
}

func trimSearch(search string) string {
	search = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(search, "\x00", ""), ""))
	if len(search) > searchMax {
		search = strings.ToValidUTF8(search[:searchMax], "")
	}
	return search
}

var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// like makes the pattern that finds text anywhere.
func like(text string) string { return "%" + likeEscapes.Replace(text) + "%" }

// A cursor is where a page ended: an instant as Postgres writes it, and an id. It is opaque to those who carry it.
func makeCursor(key, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key + "|" + id))
}

func readCursor(cursor string) (key, id string, err error) {
	refused := billing.Refuse(billing.RefusedInvalid, "after", "this page's address is not one that Recoup made; start from the first page")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) > 300 {
		return "", "", refused
	}
	key, id, ok := strings.Cut(string(raw), "|")
	if !ok || strings.ContainsRune(id, 0) {
		return "", "", refused
	}
	if key == "infinity" {
		return key, id, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00"} {
		if _, err := time.Parse(layout, key); err == nil {
			return key, id, nil
		}
	}
	return "", "", refused
}

// notFound is the answer when there is no such thing.
func notFoundRefusal(what, id string) error {
	return billing.Refuse(billing.RefusedNotFound, "", "there is no %s %s", what, fmt.Sprintf("%q", id))
}
