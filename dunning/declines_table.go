package dunning

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// declinesCSV has one row per code: who says it (a gateway or a network), what kind of code it is, its class, whether any further attempt
// is forbidden, how long to wait, the reason a customer may read, the source of all this, and the date from which that source says so.
//
// Sources differ on some codes; the strictest reading is in the table. Codes 91 and 96 ("issuer not available") are soft_issuer and not
// transient: the gateway processed and counted them, and would replay the same answer for the same key.
//
//go:embed declines.csv
var declinesCSV string

var declineColumns = []string{"scope", "kind", "code", "class", "never", "wait", "reason", "source", "effective"}

// declineRow is one row of the table.
type declineRow struct {
	Scope, Kind, Code string
	Class             Class
	Never             bool
	Wait              time.Duration
	Reason            string // key of reasons, or ""
	Source            string
	Effective         string // YYYY-MM-DD
}

// ID names a row in rulings.
func (r declineRow) ID() string { return r.Scope + "/" + r.Kind + "/" + r.Code }

// declineRows are the rows by ID.
type declineRows map[string]declineRow

// find returns the rows of a code: in every scope, of the first kind that has any.
func (t declineRows) find(scopes, kinds []string, code string) []declineRow {
	var out []declineRow
	for _, kind := range kinds {
		for _, scope := range scopes {
			if row, ok := t[scope+"/"+kind+"/"+code]; ok {
				out = append(out, row)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

var declineTable = sync.OnceValue(func() declineRows {
	rows, err := parseDeclines(declinesCSV)
	if err != nil {
		panic(err) // the table is part of the binary: only a broken build gets here
	}
	return rows
})

// parseDeclines reads the table and refuses rows that are incomplete, repeated or contradict themselves.
func parseDeclines(text string) (declineRows, error) {
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("declines.csv: %w", err)
	}
	if len(records) == 0 || !slices.Equal(records[0], declineColumns) {
		return nil, fmt.Errorf("declines.csv: line 1: want the columns %s", strings.Join(declineColumns, ","))
	}
	table := make(declineRows, len(records))
	for i, rec := range records[1:] {
		row, err := parseDecline(rec)
		if err != nil {
			return nil, fmt.Errorf("declines.csv: line %d: %w", i+2, err)
		}
		if _, twice := table[row.ID()]; twice {
			return nil, fmt.Errorf("declines.csv: line %d: %s is there twice", i+2, row.ID())
		}
		table[row.ID()] = row
	}
	return table, nil
}

func parseDecline(rec []string) (declineRow, error) {
	row := declineRow{
		Scope: rec[0], Kind: rec[1], Code: rec[2], Class: Class(rec[3]), Never: rec[4] == "yes",
		Reason: rec[6], Source: rec[7], Effective: rec[8],
	}
	if strictness[row.Class] == 0 {
		return row, fmt.Errorf("unknown class %q", row.Class)
	}
	if rec[4] != "yes" && rec[4] != "no" {
		return row, fmt.Errorf("column never: want yes or no, got %q", rec[4])
	}
	if blocks := row.Class == ClassHardInstrument || row.Class == ClassRisk; blocks && !row.Never {
		return row, fmt.Errorf("class %s must say never", row.Class)
	}
	if rec[5] != "" {
		wait, err := time.ParseDuration(rec[5])
		if err != nil || wait <= 0 {
			return row, fmt.Errorf("column wait: want a duration such as 24h, got %q", rec[5])
		}
		row.Wait = wait
	}
	if _, known := reasons[row.Reason]; row.Reason != "" && !known {
		return row, fmt.Errorf("unknown reason %q", row.Reason)
	}
	if row.Scope == "" || row.Kind == "" || row.Code != normal(row.Code) || row.Code == "" || row.Source == "" {
		return row, fmt.Errorf("scope, kind, code (lower case) and source must be given")
	}
	if _, err := time.Parse(time.DateOnly, row.Effective); err != nil {
		return row, fmt.Errorf("column effective: want YYYY-MM-DD, got %q", row.Effective)
	}
	return row, nil
}
