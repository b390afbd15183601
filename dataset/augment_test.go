package dataset

import (
	"slices"
	"testing"
)

// colours is a standardized part of n images of 6x5 pixels whose values are all
// different within an image.
func colours(t *testing.T, n int) Part {
	t.Helper()
	x := make([]uint8, n*90)
	for i := range x {
		x[i] = byte(1 + i%90 + i/90)
	}
	p, err := NewPart([]int{6, 5, 3}, x, make([]int32, n))
	if err != nil {
		t.Fatal(err)
	}
	d := Dataset{Train: p}
	d.Standardize()
	return d.Train
}

func TestAugmentedImageIsAWindowOfThePaddedOne(t *testing.T) {
	p := colours(t, 40)
	a := CropAndFlip(3)
	x := Inputs[float64](p)
	got := make([]float64, len(x))
	GatherAugmented(got, p, allRows(40), a, 17)
	seen := map[[2]int]bool{}
	flips := 0
	for i := range 40 {
		top, left, flip := a.draw(17, i)
		seen[[2]int{top, left}] = true
		if flip {
			flips++
		}
		// The padded image, then its crop, as the definition says.
		padded := make([]float64, 14*13*3)
		for y := range 14 {
			for xx := range 13 {
				for c := range 3 {
					v := (0 - p.mean[c]) / p.std[c]
					if y >= 4 && y < 10 && xx >= 4 && xx < 9 {
						v = x[i*90+((y-4)*5+xx-4)*3+c]
					}
					padded[(y*13+xx)*3+c] = v
				}
			}
		}
		for y := range 6 {
			for xx := range 5 {
				from := xx
				if flip {
					from = 4 - xx
				}
				want := padded[((y+top)*13+from+left)*3:][:3]
				if pixel := got[i*90+(y*5+xx)*3:][:3]; !slices.Equal(pixel, want) {
					t.Fatalf("image %d, pixel (%d, %d): %v, want %v", i, y, xx, pixel, want)
				}
			}
		}
	}
	if len(seen) < 25 || flips < 10 || flips > 30 {
		t.Errorf("%d different crops and %d flips of 40", len(seen), flips)
	}
}

func TestAugmentationDependsOnSeedStepAndImageAlone(t *testing.T) {
	p := colours(t, 8)
	gather := func(rows []int, seed uint64, step int) []float32 {
		dst := make([]float32, len(rows)*90)
		GatherAugmented(dst, p, rows, CropAndFlip(seed), step)
		return dst
	}
	all := gather(allRows(8), 1, 5)
	if !slices.Equal(gather([]int{6, 2}, 1, 5), slices.Concat(all[6*90:7*90], all[2*90:3*90])) {
		t.Error("an image's augmentation depends on its batch")
	}
	if slices.Equal(all, gather(allRows(8), 2, 5)) || slices.Equal(all, gather(allRows(8), 1, 6)) {
		t.Error("another seed or step gives the same images")
	}
}

func TestAugmentationWithoutPaddingAndFlipChangesNothing(t *testing.T) {
	p := colours(t, 3)
	dst := make([]float64, 270)
	GatherAugmented(dst, p, allRows(3), Augmentation{}, 9)
	if !slices.Equal(dst, Inputs[float64](p)) {
		t.Error("the images changed")
	}
}
