package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// The exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells tell of a program that SIGINT ended
)

// serveCommand is what the program calls itself with, to be the server.
const serveCommand = "serve"

const usage = `Usage: dynamodb [flags]

Measures client CPU, requests and time per record with DynamoDB: onlyonce,
a bare loop of the same requests, and a handler written by hand. The table goes
to stdout, progress to stderr. Ctrl-C ends it.

`

// settings are the flags.
type settings struct {
	cases      []string
	batches    []int
	rtts       []time.Duration
	contenders []string
	rounds     int
	turn       time.Duration
	json       string
	profile    string
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == serveCommand {
		if err := serve(ctx, os.Stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "dynamodb: server:", err)
			return exitFailed
		}
		return 0
	}
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage // the flag package has said what is wrong
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	err = compare(ctx, s, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "dynamodb: interrupted")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "dynamodb:", err)
		return exitFailed
	}
	return 0
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{
		cases: caseNames(), batches: []int{10, 100}, rtts: []time.Duration{0, 5 * time.Millisecond},
		contenders: contenderNames(),
	}
	flags := flag.NewFlagSet("dynamodb", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.Func("case", "records that the store has seen: some of "+strings.Join(s.cases, ",")+" (default all)", list(&s.cases, oneOf(caseNames())))
	flags.Func("batch", "records of a batch (default 10,100)", list(&s.batches, size))
	flags.Func("rtt", "round trips to the server (default 0s,5ms)", list(&s.rtts, roundTrip))
	flags.Func("contender", "who takes part: some of "+strings.Join(s.contenders, ",")+" (default all)", list(&s.contenders, oneOf(contenderNames())))
	flags.IntVar(&s.rounds, "rounds", 7, "turns of each contender")
	flags.DurationVar(&s.turn, "turn", 500*time.Millisecond, "least length of a turn")
	flags.StringVar(&s.json, "json", "", "write the figures to this `file` too")
	flags.StringVar(&s.profile, "cpuprofile", "", "write a profile of the client to this `file`; best with one contender")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 || s.rounds < 1 {
		fmt.Fprintln(stderr, "dynamodb: takes flags only, and at least one round; see --help")
		return s, errors.New("usage")
	}
	return s, nil
}

// list reads values separated by commas.
func list[T any](to *[]T, read func(string) (T, error)) func(string) error {
	return func(text string) error {
		*to = nil
		for one := range strings.SplitSeq(text, ",") {
			v, err := read(one)
			if err != nil {
				return err
			}
			*to = append(*to, v)
		}
		return nil
	}
}

func oneOf(names []string) func(string) (string, error) {
	return func(name string) (string, error) {
		if !slices.Contains(names, name) {
			return "", fmt.Errorf("%q is none of %s", name, strings.Join(names, ", "))
		}
		return name, nil
	}
}

func size(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && n < 2 {
		err = errors.New("a batch has two records at least")
	}
	return n, err
}

func roundTrip(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("a round trip is not negative")
	}
	return d, err
}

// compare starts the server, lets the contenders take their turns and reports.
func compare(ctx context.Context, s settings, stdout, stderr io.Writer) (err error) {
	server, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	runtime.GOMAXPROCS(1)
	pinned := pinApart(ctx, server.pid(), stderr)
	stopProfile, err := startProfile(s.profile)
	if err != nil {
		return err
	}
	cells, err := newMeasurement(s, server, stderr).cells(ctx)
	stopProfile()
	if err != nil {
		return err
	}
	r := newReport(s, cells, pinned)
	err = r.print(stdout) // first, so that a bad file does not take the figures along
	if s.json == "" {
		return err
	}
	text, encoding := json.MarshalIndent(r, "", "  ")
	if err := errors.Join(err, encoding); err != nil {
		return err
	}
	return os.WriteFile(s.json, append(text, '\n'), 0o644)
}

// startProfile starts a profile into path, if there is one, and returns what
// ends it.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
