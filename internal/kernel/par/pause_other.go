//go:build !amd64

package par

import "runtime"

// pause lets other goroutines run.
func pause(int) { runtime.Gosched() }
