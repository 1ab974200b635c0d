//go:build unix

package command_test

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/command"
)

// Ctrl-C, kill and the end of the terminal interrupt the work, which then has
// the time to put things in order.
func TestInterrupted(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		var stderr strings.Builder
		code := command.Run(t.Context(), "p", nil, &settings{}, &stderr, func(ctx context.Context) error {
			if err := syscall.Kill(os.Getpid(), sig); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})
		if code != command.Interrupted || stderr.String() != "p: interrupted\n" {
			t.Errorf("%v: got %d and %q, want %d", sig, code, stderr.String(), command.Interrupted)
		}
	}
}

// What nohup has started outlives its terminal.
func TestNohup(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	if got := command.Signals(); slices.Contains(got, os.Signal(syscall.SIGHUP)) {
		t.Errorf("%v end a program that ignores one of them", got)
	}
}
