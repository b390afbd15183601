package dataset

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/internal/plural"
)

// Balanced returns a subset of size examples with as equally many of each class
// as there are: their numbers differ by more than one only where a class has
// too few. Where numbers are predicted, all examples are as one class. The seed chooses which examples of a class; with the same seed, a
// larger subset has the smaller one's examples and more. They stay in the
// part's order. Windows of a text have many classes each: they are drawn from all. It returns an error if the part has fewer than size examples.
func (p Part) Balanced(size, classes int, seed uint64) (Part, error) {
	if err := p.holds(size); err != nil {
		return Part{}, err
	}
	if p.tokens {
		rows := shuffled(allRows(p.N()), "subset", seed, 0)[:size]
		slices.Sort(rows)
		return p.Select(rows), nil
	}
	byClass := p.strata(classes)
	counts := make([]int, len(byClass))
	for c, rows := range byClass {
		counts[c] = len(rows)
	}
	chosen := make([]int, 0, size)
	for c, quota := range quotas(counts, size) {
		chosen = append(chosen, shuffled(byClass[c], "subset", seed, c)[:quota]...)
	}
	slices.Sort(chosen)
	return p.Select(chosen), nil
}

// First returns the part's first examples. It returns an error if the part has fewer.
func (p Part) First(size int) (Part, error) {
	if err := p.holds(size); err != nil {
		return Part{}, err
	}
	return p.Select(allRows(size)), nil
}

// holds refuses subsets that are none, or more than all.
func (p Part) holds(size int) error {
	if size < 1 || size > p.N() {
		return fmt.Errorf("subset of %s; expected 1 to %d, which there are", plural.Count(size, "example"), p.N())
	}
	return nil
}

// quotas shares size among the classes: the scarcest first get an equal share
// or all they have; what does not divide goes to the most plentiful.
func quotas(counts []int, size int) []int {
	order := allRows(len(counts))
	slices.SortStableFunc(order, func(a, b int) int { return counts[a] - counts[b] })
	shares := make([]int, len(counts))
	for k, c := range order {
		shares[c] = min(counts[c], size/(len(order)-k))
		size -= shares[c]
	}
	return shares
}

// split takes a fraction of each class, rounded, for the test part, but leaves
// every class at least one example to train on. Which examples are taken is
// fixed by their order, which both results keep.
func (p Part) split(classes int, fraction float64) (train, test Part, err error) {
	if err := room[uint8](p.raw.bytes()); err != nil {
		return Part{}, Part{}, err
	}
	trainRows, testRows := p.splitRows(classes, fraction)
	return p.Select(trainRows), p.Select(testRows), nil
}

func (p Part) splitRows(classes int, fraction float64) (train, test []int) {
	for c, rows := range p.strata(classes) {
		rows = shuffled(rows, "split", 0, c)
		k := min(int(math.Round(fraction*float64(len(rows)))), max(len(rows)-1, 0))
		test = append(test, rows[:k]...)
		train = append(train, rows[k:]...)
	}
	slices.Sort(train)
	slices.Sort(test)
	return train, test
}

// strata returns the examples of each class; where numbers are predicted, all
// in one.
func (p Part) strata(classes int) [][]int {
	if p.Targets.Columns > 0 {
		return [][]int{allRows(p.N())}
	}
	return rowsByClass(p.Labels, classes)
}

func rowsByClass(labels []int32, classes int) [][]int {
	rows := make([][]int, classes)
	for i, l := range labels {
		rows[l] = append(rows[l], i)
	}
	return rows
}

func shuffled(rows []int, purpose string, seed uint64, class int) []int {
	rows = slices.Clone(rows)
	stream(purpose, seed, uint64(class), 0).Shuffle(len(rows), func(i, j int) {
		rows[i], rows[j] = rows[j], rows[i]
	})
	return rows
}
