package worker

import (
	"os/exec"
	"syscall"
)

// apart gives a worker a process group of its own, so that Ctrl-C is for this program alone, which may still need answers; the worker dies
// with the program, however that ends.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
