// Command poller measures consumers of an SQS queue side by side: their rate, the CPU time of their process and their
// requests, per message. It runs each of them as a process of its own against a load server, also a process of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "poller:", err)
		os.Exit(1)
	}
}

const help = `Measures consumers of an SQS queue side by side: messages per second, CPU time and requests per message.

Each consumer runs as a process of its own against a load server that never runs out of messages, both on a core of
their own where there is taskset. In a round every consumer runs once; ratios are those of runs of the same round.

`

// settings are what a person may choose.
type settings struct {
	rounds       int
	warmUp, time time.Duration
	body         int
	only, cells  *regexp.Regexp
	json         string
	profile      string
}

// run is the program. Its first argument makes it a part of itself: the load server, or one consumer.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == serveCommand {
		return serveMain(ctx, args[1], stdin, stdout)
	}
	if len(args) == 2 && args[0] == contendCommand {
		return contendMain(ctx, args[1], stdout)
	}
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if s.profile != "" {
		if err := os.MkdirAll(s.profile, 0o755); err != nil { //nolint:gosec // profiles that all may read
			return err
		}
	}
	var runs []outcome
	for round := range s.rounds {
		for _, c := range cells() {
			if !s.cells.MatchString(c.String()) {
				continue
			}
			for _, who := range order(s.only, round) {
				out, err := s.measure(ctx, round, c, who)
				if ctx.Err() != nil {
					return errors.New("interrupted")
				}
				if err != nil {
					return fmt.Errorf("%v, %v: %w", who, c, err)
				}
				fmt.Fprintf(stderr, "round %d of %d, %v: %-18v %8.0f msg/s %7.1f us\n", round+1, s.rounds, c, who, out.Rate, out.CPU)
				runs = append(runs, out)
			}
		}
	}
	if len(runs) == 0 {
		return errors.New("nothing to run: see --only and --cells in --help")
	}
	report(stdout, s, runs)
	if s.json != "" {
		return writeJSON(s.json, s, runs)
	}
	return nil
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{only: anyName(), cells: anyName()}
	f := flag.NewFlagSet("poller", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&s.rounds, "rounds", 5, "run everything that many `times`")
	f.DurationVar(&s.time, "time", 2*time.Second, "measure each run for this `long`")
	f.DurationVar(&s.warmUp, "warm-up", 700*time.Millisecond, "let each run go on for this `long` before")
	f.IntVar(&s.body, "body", 256, "`bytes` of a message's body")
	f.Func("only", "run only consumers whose names match this `regexp`", expression(&s.only))
	f.Func("cells", "run only cells whose names (5ms/20ms: round trip and handler) match this `regexp`", expression(&s.cells))
	f.StringVar(&s.json, "json", "", "write all runs to this `file` as well, as JSON")
	f.StringVar(&s.profile, "profile", "", "write a CPU profile of each run into this `folder`")
	f.Usage = func() {
		fmt.Fprint(stderr, help)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 || s.rounds < 1 || s.time <= 0 || s.warmUp < 0 {
		return s, errors.New("takes no arguments, and positive numbers: see --help")
	}
	return s, nil
}

func expression(into **regexp.Regexp) func(string) error {
	return func(text string) (err error) {
		*into, err = regexp.Compile(text)
		return err
	}
}
