// Package patience waits for computations that cannot be broken off, no longer than a context lasts.
package patience

import (
	"context"
	"fmt"
	"runtime/debug"
)

// Wait returns what f makes, or the cause of the context's end, should that come first. Then f goes on by itself until it is done, for nobody: it
// is to touch nothing outside of what it makes. In a context that has ended nothing is begun. A panic of f is the caller's, with f's stack in its text.
func Wait[A any](ctx context.Context, f func() (A, error)) (A, error) {
	var none A
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	type made struct {
		a     A
		err   error
		panic any
	}
	done := make(chan made, 1)
	go func() {
		m := made{}
		defer func() {
			if r := recover(); r != nil {
				m.panic = fmt.Sprintf("%v\n\n%s", r, debug.Stack())
			}
			done <- m
		}()
		m.a, m.err = f()
	}()
	select {
	case m := <-done:
		if m.panic != nil {
			panic(m.panic)
		}
		return m.a, m.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}
