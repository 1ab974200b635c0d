package main

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"github.com/onlyonce-go/onlyonce/proof/command"
)

// hurried has the first signal after cmd was told to end kill all of its group,
// whatever time it has left. What it returns is to be called when cmd has ended.
func hurried(cmd *exec.Cmd) (ended func()) {
	again, over := make(chan os.Signal, 1), make(chan struct{})
	tell := cmd.Cancel
	cmd.Cancel = func() error {
		signal.Notify(again, command.Signals()...)
		return tell()
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-again:
			endGroup(cmd)
		case <-over:
		}
	})
	return func() {
		signal.Stop(again)
		close(over)
		watch.Wait()
	}
}
