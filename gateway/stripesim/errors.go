package stripesim

import (
	"encoding/json"
	"net/http"
)

// apiError is Stripe's error envelope.
type apiError struct {
	Status             int    `json:"-"`
	Type               string `json:"type"`
	Code               string `json:"code,omitempty"`
	DeclineCode        string `json:"decline_code,omitempty"`
	AdviceCode         string `json:"advice_code,omitempty"`
	NetworkAdviceCode  string `json:"network_advice_code,omitempty"`
	NetworkDeclineCode string `json:"network_decline_code,omitempty"`
	Message            string `json:"message"`
	Param              string `json:"param,omitempty"`
	Charge             string `json:"charge,omitempty"`
	PaymentIntent      any    `json:"payment_intent,omitempty"`
	PaymentMethod      any    `json:"payment_method,omitempty"`
	DocURL             string `json:"doc_url,omitempty"`
}

// Error makes it usable as an error inside the package.
func (e *apiError) Error() string { return e.Type + " " + e.Code + ": " + e.Message }

func (e *apiError) body() []byte {
	if e.Code != "" && e.DocURL == "" {
		e.DocURL = "https://docs.stripe.com/error-codes#" + e.Code
	}
	out, err := json.Marshal(map[string]any{"error": e})
	if err != nil { // only possible for a value that encoding/json can't write, which none of the fields holds
		return []byte(`{"error":{"type":"api_error","message":"unprintable error"}}`)
	}
	return out
}

func invalidRequest(code, param, message string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: "invalid_request_error", Code: code, Param: param, Message: message}
}

func notFound(kind, id string) *apiError {
	return &apiError{Status: http.StatusNotFound, Type: "invalid_request_error", Code: "resource_missing", Param: "id",
		Message: "No such " + kind + ": '" + id + "'"}
}

func unauthorized(message string) *apiError {
	return &apiError{Status: http.StatusUnauthorized, Type: "invalid_request_error", Message: message}
}

func serverError() *apiError {
	return &apiError{Status: http.StatusInternalServerError, Type: "api_error", Message: "An unknown error occurred."}
}

func keyInUse(key string) *apiError {
	return &apiError{Status: http.StatusConflict, Type: "idempotency_error", Code: "idempotency_key_in_use",
		Message: "There is currently another in-progress request using this Idempotency Key (" + key + "). Please try again later."}
}

func keyMismatch(key string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: "idempotency_error",
		Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. " +
			"Try using a key other than '" + key + "' if you meant to execute a different request."}
}

func rateLimited() *apiError {
	return &apiError{Status: http.StatusTooManyRequests, Type: "invalid_request_error", Code: "rate_limit",
		Message: "Request rate limit exceeded."}
}
