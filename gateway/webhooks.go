package gateway

import (
	"context"
	"errors"
)

// WebhookParser is a gateway that tells by webhook that something happened. What it tells is never believed: it says where to look (U1).
type WebhookParser interface {
	// ParseWebhook checks a webhook's signature and age and returns it as a neutral event. Every forgery, every old copy and every body
	// that can't be read is an error, which says nothing of the reason: whoever sends forgeries learns nothing (faults.md B4).
	ParseWebhook(body []byte, signature string) (Event, error)
}

// SelfTester is a gateway that can say, without moving money, whether it will be able to charge at all.
type SelfTester interface {
	// SelfTest makes one read-only call. ErrRefused means that the gateway answered and will refuse every charge until a person changes
	// the configuration; any other error says only that it could not be asked now.
	SelfTest(ctx context.Context) error
}

// ErrRefused is a gateway's answer that the configuration is wrong: a key that it refuses, or one of another mode (faults.md A22).
var ErrRefused = errors.New("the gateway refuses our configuration")
