package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// The exit codes, see the package comment.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells tell of a program that SIGINT ended
)

const program = "example-worker"

// process is what a command knows of the process it runs in.
type process struct {
	getenv         func(string) string
	stdout, stderr io.Writer
}

// usageError is a mistake of the caller: what is wrong and what to do.
type usageError string

func (e usageError) Error() string { return string(e) }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

var (
	// errLoss says that the demo ended and its result is not what it should
	// be; the result has been shown.
	errLoss = errors.New("orders were lost or doubled")

	// errInterrupted says that a person or the system ended the command.
	errInterrupted = errors.New("interrupted")
)

// run runs the command that args name and returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	p := process{getenv: getenv, stdout: stdout, stderr: stderr}
	name, err := p.dispatch(ctx, args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if errors.Is(err, errLoss) {
		return exitFailed
	}
	fmt.Fprintf(stderr, "%s: %s\n", strings.TrimSpace(program+" "+name), oneLine(err))
	if _, usage := errors.AsType[usageError](err); usage {
		return exitUsage
	}
	if errors.Is(err, errInterrupted) {
		return exitInterrupted
	}
	return exitFailed
}

// oneLine keeps an error from spilling over its line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// dispatch finds the command, reads its flags and variables, and runs it.
func (p process) dispatch(ctx context.Context, args []string) (name string, err error) {
	name, rest := p.split(args)
	if name == "help" {
		printOverview(p.stdout)
		return "", nil
	}
	i := slices.IndexFunc(commands(), func(c command) bool { return c.name == name })
	if i < 0 {
		known := strings.Join(commandNames(), ", ")
		if slices.Contains(laterCommands(), name) {
			return "", usagef("command %q is not in this build yet; available: %s", name, known)
		}
		return "", usagef("unknown command %q; available: %s (see %s --help)", name, known, program)
	}
	c := commands()[i]
	s, err := c.parse(rest, p.getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.printHelp(p.stdout)
		return name, nil
	case err != nil:
		return name, err
	}
	return name, c.run(ctx, p, s)
}

// split finds out which command args are for.
func (p process) split(args []string) (name string, rest []string) {
	switch {
	case len(args) > 0 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]):
		return "help", nil
	case len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		return args[0], args[1:]
	case p.getenv(runtimeAPI) != "":
		return "lambda", args
	}
	return "demo", args
}
