package patience

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

func TestWhatIsMadeInTimeIsReturned(t *testing.T) {
	failed := errors.New("failed")
	if a, err := Wait(t.Context(), func() (int, error) { return 3, failed }); a != 3 || err != failed {
		t.Errorf("%d, %v", a, err)
	}
}

func TestItIsNotWaitedForBehindTheContextsEnd(t *testing.T) {
	never, why := make(chan int), errors.New("a signal")
	defer close(never)
	ctx, cancel := context.WithCancelCause(t.Context())
	if a, err := Wait(ctx, func() (int, error) { cancel(why); return <-never, nil }); a != 0 || err != why {
		t.Errorf("%d, %v", a, err)
	}
}

func TestInAContextThatHasEndedNothingIsBegun(t *testing.T) {
	why := errors.New("a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	var begun atomic.Int32
	for range 100 {
		if a, err := Wait(ctx, func() (int, error) { return int(begun.Add(1)), nil }); a != 0 || err != why {
			t.Fatalf("%d, %v", a, err)
		}
		runtime.Gosched() // to what was begun
	}
	if n := begun.Load(); n != 0 {
		t.Errorf("begun %d times", n)
	}
}

func TestAPanicIsTheCallers(t *testing.T) {
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "wrong") || !strings.Contains(r, "wait_test.go") {
			t.Errorf("recovered %q", r)
		}
	}()
	_, _ = Wait(t.Context(), func() (int, error) { panic("wrong") })
	t.Error("no panic")
}
