// Command shadowflow shows what a finite step size, and memory, make an optimizer do to a loss.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"shadowflow/internal/cli"
	"shadowflow/internal/memory"
)

func main() {
	if err := memory.Started(); err != nil {
		fmt.Fprintln(os.Stderr, "shadowflow:", err)
		os.Exit(1)
	}
	memory.Bound()
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		by := <-signals
		if by == syscall.SIGTERM { // a scheduler sends it to all processes of a task, and the task's script to this one
			signal.Reset(os.Interrupt)
		} else {
			signal.Reset() // a second signal ends the program at once
		}
		cancel(cli.Interrupted{Signal: by})
	}()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
