package dataset

import (
	"fmt"
	"math"
)

const (
	// mostWholeTargets is how many different numbers may be those of classes: digits and letters are, ages are more.
	mostWholeTargets = 32
	// leastRepeats is how often each of them occurs at least, in the mean.
	leastRepeats = 5
)

// wholeTargetsNote says of a training part's targets, which the Spec leaves open what they are, that they look like the numbers of classes: one
// column of 0, 1, 2, ... or 1, 2, 3, ..., none left out, few and repeated. Empty if they do not. What holds them is an array or a column of a table.
func wholeTargetsNote(y Targets, holder string) string {
	if y.Columns != 1 {
		return ""
	}
	seen := map[float64]bool{}
	least, most := math.Inf(1), math.Inf(-1)
	for _, v := range y.Values {
		if seen[v] = true; v != math.Trunc(v) || len(seen) > mostWholeTargets {
			return ""
		}
		least, most = min(least, v), max(most, v)
	}
	n := len(seen)
	if n < 2 || least != 0 && least != 1 || most-least != float64(n-1) || len(y.Values) < leastRepeats*n {
		return ""
	}
	return fmt.Sprintf("%s holds the whole numbers %g to %g alone, taken as numbers to predict (regression): if they are classes, say data.task: %s, "+
		"or if not, data.task: %s", holder, least, most, TaskClassification, TaskRegression)
}
