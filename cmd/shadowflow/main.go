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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
