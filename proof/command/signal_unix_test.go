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
	"time"

	"github.com/onlyonce-go/onlyonce/proof/command"
)

// Ctrl-C, kill and the end of the terminal interrupt the work, which then has
// the time to put things in order.
func TestInterrupted(t *testing.T) {
	signals := command.Signals() // without SIGHUP when the test itself is to outlive its terminal
	if len(signals) < 2 {
		t.Fatalf("only %v interrupt", signals)
	}
	for _, sig := range signals {
		var stderr strings.Builder
		code := command.Run(t.Context(), "p", nil, &settings{}, &stderr, func(ctx context.Context) error {
			if err := syscall.Kill(os.Getpid(), sig.(syscall.Signal)); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
				t.Errorf("%v did not interrupt", sig)
			}
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
	defer func() { // Reset would leave it ignored
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGHUP)
		signal.Stop(c)
	}()
	if got := command.Signals(); slices.Contains(got, os.Signal(syscall.SIGHUP)) {
		t.Errorf("%v end a program that ignores one of them", got)
	}
}
