package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// twoPixels is one image of 1x2 pixels with three channels, then another.
func twoPixels(t *testing.T) Part {
	t.Helper()
	p, err := NewPart([]int{1, 2, 3}, []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, []int32{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInputsOfUnstandardizedPartAreTheRawNumbers(t *testing.T) {
	p := twoPixels(t)
	if got, want := Inputs[float32](p), []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// channelsFirst returns the part's inputs as [N, C, H, W], the order of the files that readers turn around.
func channelsFirst[T Float](p Part) []T {
	x := Inputs[T](p)
	out := make([]T, len(x))
	channels := p.channels()
	for i := 0; i < len(x); i += p.Size() {
		for j := range p.Size() {
			out[i+j%channels*(p.Size()/channels)+j/channels] = x[i+j]
		}
	}
	return out
}

func TestGatherTakesTheRowsAskedFor(t *testing.T) {
	dst := make([]float64, 12)
	Gather(dst, twoPixels(t), []int{1, 1})
	if want := []float64{7, 8, 9, 10, 11, 12, 7, 8, 9, 10, 11, 12}; !slices.Equal(dst, want) {
		t.Errorf("got %v, want %v", dst, want)
	}
}

// The same numbers give the same inputs whatever type they were stored in.
func TestStandardizationIsExactForEveryStorage(t *testing.T) {
	bytes := []uint8{0, 7, 200, 3, 255, 31, 8, 90, 1, 4, 4, 16}
	narrow := make([]float32, len(bytes))
	wide := make([]float64, len(bytes))
	for i, b := range bytes {
		narrow[i], wide[i] = float32(b), float64(b)
	}
	shape, labels := []int{1, 2, 3}, []int32{0, 0}
	pu, err1 := NewPart(shape, bytes, labels)
	pn, err2 := NewPart(shape, narrow, labels)
	pw, err3 := NewPart(shape, wide, labels)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	mean := [3]float64{(0 + 3 + 8 + 4) / 4., (7 + 255 + 90 + 4) / 4., (200 + 31 + 1 + 16) / 4.}
	for _, p := range []Part{pu, pn, pw} {
		d := Dataset{Shape: shape, Classes: 1, Train: p}
		d.Standardize()
		for i, x := range Inputs[float64](d.Train) {
			c := i % 3
			variance := 0.0
			for j := c; j < 12; j += 3 {
				variance += (wide[j] - mean[c]) * (wide[j] - mean[c]) / 4
			}
			if want := (wide[i] - mean[c]) / math.Sqrt(variance); math.Abs(x-want) > 1e-15*math.Abs(want) {
				t.Errorf("value %d: %.17g, want %.17g", i, x, want)
			}
			if got := Inputs[float32](d.Train)[i]; got != float32(x) {
				t.Errorf("value %d: float32 %v, want the float64 value %v rounded", i, got, x)
			}
		}
	}
}

func TestConstantChannelIsOnlyCentred(t *testing.T) {
	p, err := NewPart([]int{3}, []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, []int32{0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	d := Dataset{Train: p}
	d.Standardize()
	if d.Std[0] != 0 || d.Mean[0] != 0.1 {
		t.Errorf("mean %v, deviation %v", d.Mean, d.Std)
	}
	for _, x := range Inputs[float64](d.Train) {
		if x != 0 {
			t.Errorf("input %v, want 0", x)
		}
	}
}

func TestNewPartRefusesWhatDoesNotFit(t *testing.T) {
	for _, tc := range []struct {
		shape  []int
		values int
		labels []int32
		want   string
	}{
		{[]int{2, 2}, 4, []int32{0}, "expected [D] or [H, W, C]"},
		{[]int{0}, 4, []int32{0}, "positive"},
		{[]int{3}, 4, []int32{0}, "4 values and 1 label"},
		{[]int{2}, 4, []int32{0}, "4 values and 1 label"},
		{[]int{2}, 4, []int32{0, -1}, "label -1 of example 1 is negative"},
	} {
		_, err := NewPart(tc.shape, make([]float32, tc.values), tc.labels)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("shape %v: error %v, want %q", tc.shape, err, tc.want)
		}
	}
}

func ExampleInputs() {
	d := Digits()
	x := Inputs[float32](d.Train)
	fmt.Println(d.Train.N(), d.Shape, len(x))
	fmt.Printf("%.3f %.3f\n", d.Mean[0], d.Std[0])
	// Output:
	// 1297 [8 8 1] 83008
	// 4.894 6.009
}
