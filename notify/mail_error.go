package notify

import (
	"errors"
	"fmt"

	gomail "github.com/wneessen/go-mail"
)

// Fate is what is known of a mail whose sending failed.
type Fate string

// The fates of a mail.
const (
	FateLater   Fate = "later"    // certainly not taken; may be tried again
	FateRefused Fate = "refused"  // certainly not taken, and won't be for this contact
	FateOurs    Fate = "ours"     // certainly not taken, because of our set-up: people have to look
	FateInDoubt Fate = "in doubt" // the server may have taken it: its answer never came (faults.md F1)
)

// SendError says what became of a mail. Its text holds codes and never an address (I18).
type SendError struct {
	Fate    Fate
	Code    int // of the server's reply, 0 when there was none
	Problem string
}

// Error returns the problem.
func (e *SendError) Error() string { return e.Problem }

// explain reads the library's error. Before the end of DATA the server can't have taken the mail; after it only an answer tells.
func explain(err error) *SendError {
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		return &SendError{Fate: FateLater, Problem: "the mail could not be handed over"}
	}
	code := failed.ErrorCode()
	e := &SendError{Fate: FateLater, Code: code, Problem: failed.Reason.String()}
	if code != 0 {
		e.Problem = fmt.Sprintf("%s: the server answered %d %s", failed.Reason, code, failed.EnhancedStatusCode())
	}
	permanent := code >= 500
	switch failed.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData:
		if permanent {
			e.Fate = FateRefused
		}
	case gomail.ErrSMTPDataClose, gomail.ErrSMTPReset:
		switch {
		case permanent:
			e.Fate = FateRefused
		case code == 0:
			e.Fate = FateInDoubt
		}
	case gomail.ErrSMTPMailFrom:
		if permanent {
			e.Fate = FateOurs
		}
	case gomail.ErrGetSender, gomail.ErrNoUnencoded:
		e.Fate = FateOurs
	case gomail.ErrGetRcpts:
		e.Fate = FateRefused
	case gomail.ErrWriteContent, gomail.ErrConnCheck, gomail.ErrAmbiguous:
	}
	return e
}
