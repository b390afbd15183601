package dataset

import "fmt"

// labelled are labels and where in a file they were, for errors about them.
type labelled struct {
	labels       []int32
	file         string
	start, width int64
}

func (l labelled) wrong(i int, got, want string) error {
	return &FormatError{File: l.file, Offset: l.start + int64(i)*l.width, Got: got, Want: want}
}

// countLabels checks that there is one label for each of n examples of a file.
func (l labelled) countLabels(n int, of string) error {
	if len(l.labels) == n {
		return nil
	}
	return l.wrong(len(l.labels), fmt.Sprintf("%d labels", len(l.labels)),
		fmt.Sprintf("%d, one for each example of %s", n, of))
}

// countClasses returns the number of classes: the given one, or if that is 0,
// one more than the largest training label. All labels must fit. If everyClass,
// a number that was not given is believed only if each class has an example, so
// that one wrong byte does not pass for two hundred empty classes.
func countClasses(train, test labelled, given int, everyClass bool) (int, error) {
	classes, largest := given, 0
	if given == 0 {
		for i, l := range train.labels {
			if int(l) >= classes {
				classes, largest = int(l)+1, i
			}
		}
	}
	for _, part := range []labelled{train, test} {
		for i, l := range part.labels {
			if int(l) >= classes {
				return 0, part.wrong(i, fmt.Sprintf("label %d", l), fmt.Sprintf("0 to %d (%d classes)", classes-1, classes))
			}
		}
	}
	if given != 0 {
		return classes, nil
	}
	counts, empty, first := make([]int, classes), 0, 0
	for _, l := range train.labels {
		counts[l]++
	}
	for c := classes - 1; c >= 0; c-- {
		if counts[c] == 0 {
			empty, first = empty+1, c
		}
	}
	switch label := fmt.Sprintf("label %d", classes-1); {
	case everyClass && empty > 0:
		return 0, train.wrong(largest, fmt.Sprintf("%s, though no example has label %d", label, first),
			"every label from 0 to the largest to occur, or classes to be given")
	case empty > mostEmpty && empty > classes/2:
		return 0, train.wrong(largest, fmt.Sprintf("%s, though no example has any of %d labels below it", label, empty),
			"labels 0, 1, 2, ..., or data.classes to be given if that is meant")
	}
	return classes, nil
}

// mostEmpty is the number of classes without an example from which on a largest
// label is doubted where they are most of all: -1 is 65535 in 16 bits.
const mostEmpty = 1000
