package intake

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// M1: whatever the costs, bills are rounded once and lose nothing, and the order of rows doesn't matter.
func TestM1FocusLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		row := rapid.Custom(func(rt *rapid.T) string {
			currency := rapid.SampledFrom([]string{"USD", "JPY", "KWD"}).Draw(rt, "currency")
			month := rapid.IntRange(1, 3).Draw(rt, "month")
			cost := fmt.Sprintf("%d.%06d", rapid.IntRange(0, 20).Draw(rt, "whole"), rapid.IntRange(0, 999_999).Draw(rt, "fraction"))
			if rapid.Bool().Draw(rt, "negative") {
				cost = "-" + cost
			}
			return fmt.Sprintf("%s,%s,%s,org,2026-%02d-01,2026-%02d-01,%s,%s,,", rapid.SampledFrom([]string{"A", "B", "NULL"}).Draw(rt, "service"), cost, currency, month,
				month+1, rapid.SampledFrom([]string{"Usage", "Tax", "Credit", "Purchase"}).Draw(rt, "category"), rapid.SampledFrom([]string{"x", "y", "NULL"}).Draw(rt, "sub"))
		})
		rows := rapid.SliceOfN(row, 1, 40).Draw(rt, "rows")
		text := bills(rows...)
		b, s, err := ReadFocus(strings.NewReader(text), usual)
		if err != nil {
			rt.Fatal(err)
		}
		checkSums(t, []byte(text), b, s)
		other, _, err := ReadFocus(strings.NewReader(bills(rapid.Permutation(rows).Draw(rt, "order")...)), usual)
		if err != nil || !cmp.Equal(withoutLines(b), withoutLines(other), amounts) {
			rt.Fatalf("another order, another batch: %v", err)
		}
	})
}
