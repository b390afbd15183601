package dataset

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDigitsSplitIsFixedAndBalanced(t *testing.T) {
	d := Digits()
	if d.Train.N() != 1297 || d.Test.N() != 500 || d.Classes != 10 || !slices.Equal(d.Shape, []int{8, 8, 1}) {
		t.Fatalf("train %d, test %d, classes %d, shape %v", d.Train.N(), d.Test.N(), d.Classes, d.Shape)
	}
	train, test := d.Train.ClassCounts(10), d.Test.ClassCounts(10)
	if slices.Min(train) != 128 || slices.Max(train) != 132 || slices.Min(test) != 46 || slices.Max(test) != 51 {
		t.Errorf("classes in train %v, in test %v", train, test)
	}
	if !strings.Contains(d.Attribution, "Alpaydin") || !strings.Contains(d.Attribution, "CC BY 4.0") {
		t.Errorf("attribution %q", d.Attribution)
	}
}

// The rows are the first of the training part and of the test part in the file.
func TestDigitsAreTheFilesRows(t *testing.T) {
	d := rawDigits()
	first := Inputs[float64](d.Train)[:16]
	if want := []float64{0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0}; !slices.Equal(first, want) {
		t.Errorf("first two rows of pixels %v, want %v", first, want)
	}
	if want := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(d.Train.Labels[:10], want) {
		t.Errorf("first labels %v, want %v", d.Train.Labels[:10], want)
	}
	if last := d.Test.Labels[d.Test.N()-1]; last != 8 {
		t.Errorf("last label %d, want 8", last)
	}
	x := Inputs[float64](d.Train)
	if slices.Min(x) != 0 || slices.Max(x) != 16 {
		t.Errorf("raw values in [%v, %v], want [0, 16]", slices.Min(x), slices.Max(x))
	}
}

func TestStandardizedDigitsHaveMeanZeroAndDeviationOne(t *testing.T) {
	d := Digits()
	x := Inputs[float64](d.Train)
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum += v
		squares += v * v
	}
	n := float64(len(x))
	if mean := sum / n; math.Abs(mean) > 1e-12 {
		t.Errorf("mean %g", mean)
	}
	if variance := squares / n; math.Abs(variance-1) > 1e-12 {
		t.Errorf("variance %.17g", variance)
	}
	raw := Inputs[float64](rawDigits().Test)
	for i, v := range Inputs[float64](d.Test) {
		if want := (raw[i] - d.Mean[0]) / d.Std[0]; v != want {
			t.Fatalf("test value %d: %v, want %v from the training part's numbers", i, v, want)
		}
	}
}

func TestWrongDigitsAreRefusedWithTheirOffset(t *testing.T) {
	row := strings.Repeat("0,", 64) + "7\n"
	for _, tc := range []struct{ name, text, want string }{
		{"pixel above 16", row + "17" + row[1:], `byte 130: "17" in column 1; expected a number in 0..16`},
		{"label above 9", strings.Repeat("0,", 64) + "10\n", `byte 0: "10" in column 65; expected a number in 0..9`},
		{"short row", row + "1,2,3\n", "byte 130: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := parseDigits("digits.csv", strings.NewReader(tc.text))
			var format *FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want a FormatError with %q", err, tc.want)
			}
		})
	}
}

func FuzzDigits(f *testing.F) {
	row := strings.Repeat("3,", 64) + "7\n"
	f.Add([]byte(row + row))
	f.Add([]byte(row[:70]))
	f.Fuzz(func(t *testing.T, file []byte) {
		x, labels, err := parseDigits("f", strings.NewReader(string(file)))
		if err == nil && len(x) != 64*len(labels) {
			t.Errorf("%d values for %d labels", len(x), len(labels))
		}
	})
}

// The file is read once, and whoever changes what came of it changes nothing for others.
func TestEachCallerHasDigitsOfItsOwn(t *testing.T) {
	a := rawDigits()
	want := Inputs[float64](a.Train)[5]
	label := a.Train.Labels[0]
	a.Train.raw.u8[5]++
	a.Train.Labels[0]++
	b := rawDigits()
	if got := Inputs[float64](b.Train)[5]; got != want || b.Train.Labels[0] != label {
		t.Errorf("pixel %v, label %d; want %v and %d", got, b.Train.Labels[0], want, label)
	}
}
