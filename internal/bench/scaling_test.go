package bench

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestEveryAxisOfAScalingGrowsAlongWhatItSays(t *testing.T) {
	for _, axis := range Axes[:len(Axes)-1] {
		t.Run(axis, func(t *testing.T) {
			sizes := along(axis, 4)
			if len(sizes) < 3 {
				t.Fatalf("%d sizes", len(sizes))
			}
			if !slices.IsSortedFunc(sizes, func(a, b sized) int { return a.at - b.at }) {
				t.Errorf("not in order: %+v", sizes)
			}
			for i := range sizes[1:] {
				if changed := differences(sizes[i], sizes[i+1]); changed != 2 { // At, and what it is the value of
					t.Errorf("%+v and %+v differ in %d fields, want 2", sizes[i], sizes[i+1], changed)
				}
			}
		})
	}
	if sizes := along(AxisThreads, 3); sizes[len(sizes)-1].threads != 3 {
		t.Errorf("all threads are left out: %+v", sizes)
	}
}

func differences(a, b sized) int {
	n := 0
	for _, differ := range []bool{a.at != b.at, a.width != b.width, a.depth != b.depth, a.examples != b.examples, a.threads != b.threads} {
		if differ {
			n++
		}
	}
	return n
}

func TestTheUpdateIsMeasuredBesideACopy(t *testing.T) {
	s, err := update(t.Context(), 1000, Options{Threads: 1, Budget: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !(s.Step > 0 && s.StepOfCopy > 0 && s.Norms > 0 && s.NormsOfCopy > 0) {
		t.Errorf("%+v", s)
	}
	copied := s.StepOfCopy * s.Step * copyStreams / stepStreams
	if again := s.NormsOfCopy * s.Norms * copyStreams / normStreams; max(copied, again) > 1.000001*min(copied, again) {
		t.Errorf("fractions of two copies, of %v and %v seconds", copied, again)
	}
}

func TestAScalingStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Scaling(ctx, Options{Threads: 1, Budget: 1}, func([]Size) { t.Error("measured after cancellation") }); err == nil {
		t.Error("no error after cancellation")
	}
}
