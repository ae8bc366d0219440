package money

import (
	"encoding/json"
	"testing"
)

// FuzzAmountJSON: what reads as an amount is written again as the same amount, names its minor units, and is of a currency that exists (M1).
func FuzzAmountJSON(f *testing.F) {
	for _, s := range []string{`{"minor":1234,"currency":"USD"}`, `{"minor":0,"currency":""}`, `{"currency":"USD"}`, `{"minor":1.5,"currency":"USD"}`,
		`{"minor":9223372036854775808,"currency":"JPY"}`, `{"minor":1,"currency":"usd"}`, `{"minor":1,"currency":"XXQ"}`, `null`, `[]`, `{"minor":null,"currency":"USD"}`,
		`{"minor":1,"minor":2,"currency":"KWD"}`, `{"minor":5,"currency":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var a Amount
		if json.Unmarshal(text, &a) != nil {
			return
		}
		if a.Currency().Code() == "" && !a.IsZero() {
			t.Fatalf("%q became %v of no currency", text, a)
		}
		var fields map[string]any
		if json.Unmarshal(text, &fields) == nil && fields != nil && len(fields) == 0 {
			t.Fatalf("%q became %v", text, a)
		}
		written, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Amount
		if err := json.Unmarshal(written, &back); err != nil || back != a {
			t.Fatalf("%q became %v, written %s, read %v %v", text, a, written, back, err)
		}
	})
}
