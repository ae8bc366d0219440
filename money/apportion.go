package money

import (
	"fmt"
	"math/big"
	"slices"
)

// Round turns an exact number of major units into minor units, half to even: 0.125 USD is USD 0.12, 0.135 is USD 0.14. A number that
// doesn't fit is ErrOverflow.
func Round(exact *big.Rat, c Currency) (Amount, error) {
	whole, rest := floor(scaled(exact, c))
	if up := new(big.Rat).Sub(rest, big.NewRat(1, 2)); up.Sign() > 0 || up.Sign() == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return fromBig(whole, c)
}

// Apportion rounds the exact parts of a bill, in major units, once: the parts it returns add up to the exact total rounded half to even.
// Every part is one of the two amounts next to its exact value; the minor units left over go to the largest remainders, ties to the part
// that comes first. A part that needs no rounding is never changed. Numbers that don't fit are ErrOverflow.
func Apportion(parts []*big.Rat, c Currency) ([]Amount, error) {
	total := new(big.Rat)
	wholes, rests := make([]*big.Int, len(parts)), make([]*big.Rat, len(parts))
	below := new(big.Int)
	for i, p := range parts {
		if p == nil {
			return nil, fmt.Errorf("money: part %d is missing", i)
		}
		total.Add(total, p)
		wholes[i], rests[i] = floor(scaled(p, c))
		below.Add(below, wholes[i])
	}
	bill, err := Round(total, c)
	if err != nil {
		return nil, fmt.Errorf("total of %d parts: %w", len(parts), err)
	}
	// What is left over is never more than the number of parts with a remainder: each of those adds less than 1.
	left := new(big.Int).Sub(big.NewInt(bill.minor), below).Int64()
	byRest := make([]int, len(parts))
	for i := range byRest {
		byRest[i] = i
	}
	slices.SortStableFunc(byRest, func(a, b int) int { return rests[b].Cmp(rests[a]) })
	for _, i := range byRest[:left] {
		wholes[i].Add(wholes[i], big.NewInt(1))
	}
	out := make([]Amount, len(parts))
	for i, w := range wholes {
		if out[i], err = fromBig(w, c); err != nil {
			return nil, fmt.Errorf("part %d: %w", i, err)
		}
	}
	return out, nil
}

// scaled returns an exact number of minor units.
func scaled(major *big.Rat, c Currency) *big.Rat {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Exponent())), nil)
	return new(big.Rat).Mul(major, new(big.Rat).SetInt(unit))
}

// floor splits a number into the whole number at or below it and a rest of at least 0 and less than 1.
func floor(x *big.Rat) (*big.Int, *big.Rat) {
	// Div is Euclidean and the denominator is positive, so this rounds down for negative numbers too.
	whole := new(big.Int).Div(x.Num(), x.Denom())
	return whole, new(big.Rat).Sub(x, new(big.Rat).SetInt(whole))
}

func fromBig(minor *big.Int, c Currency) (Amount, error) {
	if !minor.IsInt64() {
		return Amount{}, fmt.Errorf("%w: %d digits of %s", ErrOverflow, len(minor.String()), c)
	}
	return New(minor.Int64(), c), nil
}
