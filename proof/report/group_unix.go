//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// asGroup makes cmd and all that it starts a group of their own, which is told
// to end as Ctrl-C tells it.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}

// endGroup ends what is left of the group of a cmd that has ended.
func endGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails when nothing is left
}
