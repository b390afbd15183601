package schema

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Check reports what is wrong with a value of the key: another Go type than its type says, a number that is not finite or out of range, a
// word that it does not know.
func (k Key) Check(value any) error {
	ok := false
	switch v := value.(type) {
	case float64:
		ok = k.Type == Number && k.allows(v)
	case int:
		ok = k.Type == Whole && k.allows(float64(v))
	case uint64:
		ok = k.Type == Seed && k.allows(float64(v))
	case bool:
		ok = k.Type == Flag
	case string:
		ok = k.Type == Text && (k.Words == nil || slices.Contains(k.Words, v))
	case []float64:
		ok = k.Type == Numbers && !slices.ContainsFunc(v, func(x float64) bool { return !k.allows(x) })
	case []int:
		ok = k.Type == Wholes && !slices.ContainsFunc(v, func(x int) bool { return !k.allows(float64(x)) })
	case [][2]float64:
		ok = k.Type == Pairs && !slices.ContainsFunc(v, func(p [2]float64) bool { return !k.allows(p[0]) || !k.allows(p[1]) })
	}
	if !ok {
		return fmt.Errorf("%s = %v: want %s", k.Name, value, k.Wants())
	}
	return nil
}

func (k Key) allows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (k.Range == nil || k.Range.Contains(v))
}

// Wants says in words which values the key may have: "a whole number, at least 1 and at most 40".
func (k Key) Wants() string {
	switch {
	case k.Words != nil:
		return "one of " + strings.Join(k.Words, ", ")
	case k.Range == nil:
		return k.Type.String()
	case k.Type == Numbers || k.Type == Wholes || k.Type == Pairs:
		return k.Type.String() + ", each " + k.Range.String()
	}
	return k.Type.String() + ", " + k.Range.String()
}
