//go:build unix

package worker

import (
	"syscall"
	"testing"
	"time"
)

func TestNoWorkerOutlivesItsClose(t *testing.T) {
	for _, wrong := range []string{"", "hangs at the end"} {
		p, err := start(t, wrong, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		pid := p.cmd.Process.Pid
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("worker that %q is still there", wrong)
		}
		if err := useOf(t, p); err == nil {
			t.Error("a closed worker answers")
		}
	}
}
