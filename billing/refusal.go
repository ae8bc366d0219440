package billing

import "fmt"

// RefusalCode is the sort of a refusal; edges map it to exit codes and HTTP statuses.
type RefusalCode string

// The sorts of refusals.
const (
	RefusedInvalid  RefusalCode = "invalid"   // the request itself is wrong: fix the field
	RefusedNotFound RefusalCode = "not_found" // no such thing
	RefusedConflict RefusalCode = "conflict"  // same id, other content
	RefusedNotNow   RefusalCode = "not_now"   // right, but not in this state; the message says when or what instead
)

// Refusal is an error whose text is safe and useful to the person who asked. Everything else an edge reports as an internal error.
type Refusal struct {
	Code    RefusalCode
	Field   string // of the request, or ""
	Message string
}

// Error returns the message, with the field when there is one.
func (r *Refusal) Error() string {
	if r.Field == "" {
		return r.Message
	}
	return r.Field + ": " + r.Message
}

// Refuse makes a Refusal with a formatted message.
func Refuse(code RefusalCode, field, format string, args ...any) error {
	return &Refusal{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}
