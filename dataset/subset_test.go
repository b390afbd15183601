package dataset

import (
	"slices"
	"strings"
	"testing"
)

// counted is a part whose only feature is the example's index.
func counted(t *testing.T, labels []int32) Part {
	t.Helper()
	p, err := NewPart([]int{1}, countUp(len(labels)), labels)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSubsetSharesAreAsEqualAsClassesAllow(t *testing.T) {
	for _, tc := range []struct {
		counts []int
		size   int
		want   []int
	}{
		{[]int{10, 10, 10}, 9, []int{3, 3, 3}},
		{[]int{10, 10, 10}, 10, []int{3, 3, 4}},
		{[]int{12, 11, 10}, 10, []int{4, 3, 3}},
		{[]int{10, 1, 10}, 9, []int{4, 1, 4}},
		{[]int{10, 0, 2}, 11, []int{9, 0, 2}},
		{[]int{3, 2, 1}, 6, []int{3, 2, 1}},
		{[]int{5, 5, 5}, 2, []int{0, 1, 1}},
	} {
		if got := quotas(tc.counts, tc.size); !slices.Equal(got, tc.want) {
			t.Errorf("%d of %v: %v, want %v", tc.size, tc.counts, got, tc.want)
		}
	}
}

func TestSubsetIsBalancedInOrderAndNested(t *testing.T) {
	labels := make([]int32, 300)
	for i := range labels {
		labels[i] = int32(i*i) % 3 // classes 0 and 1 only
	}
	p := counted(t, labels)
	small, err1 := p.Balanced(50, 3, 7)
	large, err2 := p.Balanced(120, 3, 7)
	other, err3 := p.Balanced(50, 3, 8)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	if got := small.ClassCounts(3); !slices.Equal(got, []int{25, 25, 0}) {
		t.Errorf("classes %v", got)
	}
	kept := Inputs[float64](small)
	if !slices.IsSorted(kept) || len(slices.Compact(slices.Clone(kept))) != 50 {
		t.Errorf("examples %v, want 50 in the part's order", kept)
	}
	for i, x := range kept {
		if small.Labels[i] != labels[int(x)] {
			t.Errorf("example %v has label %d, want %d", x, small.Labels[i], labels[int(x)])
		}
		if !slices.Contains(Inputs[float64](large), x) {
			t.Errorf("example %v is not in the larger subset", x)
		}
	}
	if slices.Equal(kept, Inputs[float64](other)) {
		t.Error("another seed keeps the same examples")
	}
}

// Recorded once: the examples must be the same on every platform and in every version.
func TestSubsetOfASeedIsFixed(t *testing.T) {
	p, err := counted(t, slices.Repeat([]int32{0, 1}, 50)).Balanced(8, 2, 42)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Inputs[float64](p), []float64{7, 9, 18, 77, 78, 82, 86, 93}; !slices.Equal(got, want) {
		t.Errorf("examples %v, want %v", got, want)
	}
}

func TestSubsetOfImpossibleSizeIsRefused(t *testing.T) {
	p := counted(t, []int32{0, 1})
	for _, size := range []int{-1, 0, 3} {
		if _, err := p.Balanced(size, 2, 0); err == nil || !strings.Contains(err.Error(), "expected 1 to 2") {
			t.Errorf("size %d: error %v", size, err)
		}
	}
}

func TestSplitLeavesEveryClassATrainingExample(t *testing.T) {
	train, test := Part{Labels: []int32{0, 1, 1, 2, 2, 2}}.splitRows(4, 0.99)
	if len(train) != 3 || len(test) != 3 || !slices.Contains(train, 0) {
		t.Errorf("train %v, test %v", train, test)
	}
}
