// Command shadowflow shows what a finite step size, and memory, make an optimizer do to a loss.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"shadowflow/internal/cli"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		by := <-signals
		signal.Reset() // a second signal ends the program at once
		cancel(cli.Interrupted{Signal: by})
	}()
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
