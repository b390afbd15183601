//go:build unix

package record

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const limitVariable = "SHADOWFLOW_TEST_LIMIT"

// init limits the size of files in the process that TestAFullDiskStopsARunThatCanBeResumed starves: a file that may not grow fails as
// a full disk does, with part of a write and then an error.
func init() {
	limit, err := strconv.ParseUint(os.Getenv(limitVariable), 10, 64)
	if err != nil {
		return
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
}

func TestAFullDiskStopsARunThatCanBeResumed(t *testing.T) {
	const steps = 100
	want := uninterrupted(t, steps)
	for _, limit := range []int{len(want) / 3, len(want) / 2, len(want) - 5} {
		t.Run(fmt.Sprintf("after %d bytes", limit), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			out, err := toyProcess(dir, steps, fmt.Sprintf("%s=%d", limitVariable, limit)).Output()
			if err == nil || !strings.Contains(string(out), filepath.Join(dir, historyFile)+": the row was not recorded") {
				t.Errorf("%v, %s", err, out)
			}
			if got := readFile(t, dir, historyFile); !bytes.HasPrefix(want, got) || got[len(got)-1] != '\n' || len(got) < limit-100 {
				t.Errorf("%d bytes recorded", len(got))
			}
			if _, err := runToy(dir, steps); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(readFile(t, dir, historyFile), want) {
				t.Error("the history differs")
			}
		})
	}
}
