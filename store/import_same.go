package store

import (
	"fmt"

	"recoup/money"
)

// attribute is one field of an object as it is in the database and in the file.
type attribute struct {
	field       string
	there, here any
}

// same reports whether all attributes agree, and notes the first that doesn't.
func (i *importer) same(line int, kind, id string, attributes ...attribute) bool {
	for _, a := range attributes {
		if there, here := fmt.Sprint(a.there), fmt.Sprint(a.here); there != here {
			i.problems.Add(line, kind+"."+a.field, "%s is there already with %q, the file says %q", id, there, here)
			return false
		}
	}
	return true
}

func (i *importer) count(same bool, c *ImportCount) {
	if same {
		c.Unchanged++
	}
}

func minor(a money.Amount) string { return fmt.Sprintf("%d %s", a.Minor(), a.Currency()) }

func orNull[T ~string](id T) *string {
	if id == "" {
		return nil
	}
	text := string(id)
	return &text
}
