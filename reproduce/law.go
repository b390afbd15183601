package reproduce

import "math"

// lawMargin is how far below its exponent a slope may lie for the law still to hold.
const lawMargin = 0.5

// LawLimit says up to which step size the one-step defects of a modified equation of some order follow their law: defects fall
// like lr^(order+1). Given step sizes in rising order and the defect at each, at points that correspond, it goes from
// the smallest up while the logarithmic slope to the next is at least order + 1/2, and returns the last step size reached, or 0 if
// the first slope is already below: then the law holds, if at all, below the smallest. A defect that is not positive and finite ends
// the law.
func LawLimit(lr, defects []float64, order int) float64 {
	limit := 0.0
	for k := 1; k < len(lr); k++ {
		a, b := defects[k-1], defects[k]
		slope := math.Log(b/a) / math.Log(lr[k]/lr[k-1])
		if !(a > 0) || math.IsInf(b, 0) || !(slope >= float64(order+1)-lawMargin) {
			return limit
		}
		limit = lr[k]
	}
	return limit
}
