package worker

import (
	"os/exec"
	"syscall"
)

// apart gives a worker a process group of its own, so that Ctrl-C is for this program alone, which may still need answers. When the program
// ends the worker's standard input does, and so does the worker.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// kill ends a worker. That it has ended is no error.
func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
