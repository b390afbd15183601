//go:build unix

package dataset

import (
	"os"
	"syscall"
)

// linked reports whether a file has other names too, by which what is written into it would be seen.
func linked(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Nlink > 1
}
