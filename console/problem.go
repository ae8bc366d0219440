package console

import (
	"context"
	"errors"
	"net/http"

	"recoup/billing"
)

// problem is an error as people may see it.
type problem struct {
	status             int
	title, text, field string
}

var errNoPage = billing.Refuse(billing.RefusedNotFound, "", "There is no such page. It may have been moved, or the address is incomplete.")

var statusOfRefusal = map[billing.RefusalCode]int{
	billing.RefusedInvalid:  http.StatusBadRequest,
	billing.RefusedNotFound: http.StatusNotFound,
	billing.RefusedConflict: http.StatusConflict,
	billing.RefusedNotNow:   http.StatusConflict,
}

var titleOfStatus = map[int]string{
	http.StatusBadRequest: "That request can't be read",
	http.StatusNotFound:   "Not found",
	http.StatusConflict:   "Not possible now",
	http.StatusForbidden:  "Not yours to do",

	http.StatusUnauthorized: "Sign in first",
}

// problemOf maps an error to a status and a safe text: a Refusal speaks for itself, anything else is only logged.
func problemOf(err error) problem {
	var refusal *billing.Refusal
	switch {
	case errors.As(err, &refusal):
		status := statusOfRefusal[refusal.Code]
		if status == 0 {
			status = http.StatusBadRequest
		}
		return problem{status, titleOfStatus[status], refusal.Message, refusal.Field}
	case errors.Is(err, context.DeadlineExceeded):
		return problem{http.StatusServiceUnavailable, "That took too long",
			"The database did not answer in time. Narrow the search, or try again in a moment.", ""}
	}
	return problem{http.StatusInternalServerError, "Something went wrong",
		"This page could not be made. Nothing was changed. The log of the console says more; try again in a moment.", ""}
}
