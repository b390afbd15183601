//go:build unix

package worker

import (
	"os/exec"
	"syscall"
)

// kill ends a worker's process group. That there is none any more is no error.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
