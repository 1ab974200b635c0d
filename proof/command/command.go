// Package command is what the programs of the proof have in common: flags, the
// signals that end them, and exit codes.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes.
const (
	Failed      = 1
	Usage       = 2
	Interrupted = 130 // as shells tell of a program that SIGINT ended
)

// Settings are the flags of a program.
type Settings interface {
	// Declare declares them.
	Declare(fs *flag.FlagSet)

	// Check says what is wrong with their values.
	Check() error
}

// Run reads the settings from args, lets the program do its work and returns
// its exit code. The context of the work ends with the first signal; a second
// one ends the process at once.
func Run(ctx context.Context, name string, args []string, s Settings, stderr io.Writer, work func(context.Context) error) int {
	switch err := parse(name, args, s, stderr); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return Usage
	}
	ctx, stop := signal.NotifyContext(ctx, Signals()...)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := work(ctx)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintf(stderr, "%s: interrupted\n", name)
		return Interrupted
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return Failed
	}
	return 0
}

func parse(name string, args []string, s Settings, stderr io.Writer) error {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	s.Declare(fs)
	if err := fs.Parse(args); err != nil {
		return err // the flag set has told it
	}
	err := s.Check()
	if fs.NArg() > 0 {
		err = fmt.Errorf("unknown argument %q", fs.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	return err
}

// Signals returns those that end a program: Ctrl-C, kill, and the end of its
// terminal, unless nohup has it outlive that.
func Signals() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}
