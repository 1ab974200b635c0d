// Command soak runs pollers for minutes, in real time and over TCP, while everything around them goes wrong by chance: the
// network, the queue, the store, handlers, and the pollers themselves, which come and go. It ends with status 0 when every
// message was done once, in order where the queue is FIFO, or is a dead letter because it was to be, and the queues are empty.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// settings are what a person may choose.
type settings struct {
	time    time.Duration
	drain   time.Duration
	every   time.Duration
	seed    uint64
	rate    int
	workers int
	store   string
	most    int // MiB
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.DurationVar(&s.time, "time", 10*time.Minute, "send messages and let things go wrong for this `long`")
	f.DurationVar(&s.drain, "drain", 10*time.Minute, "then wait at most this `long` for the queues to be empty")
	f.DurationVar(&s.every, "every", 10*time.Second, "tell how it goes each of these `times`")
	f.Uint64Var(&s.seed, "seed", 1, "what goes wrong, as far as `chance` decides it and not the scheduler")
	f.IntVar(&s.rate, "rate", 150, "`messages` to send per second")
	f.IntVar(&s.workers, "workers", 3, "how `many` workers there are, each with a poller of both queues")
	f.StringVar(&s.store, "store", "bolt", "keep rows in `memory or bolt`")
	f.IntVar(&s.most, "memory", 256, "the most memory of the process, queues and all, in `MiB`")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0, s.time <= 0, s.every <= 0, s.rate < 1, s.workers < 1:
		return s, errors.New("takes no arguments, and positive numbers: see --help")
	case s.store != "memory" && s.store != "bolt":
		return s, errors.New("--store is memory or bolt")
	}
	return s, nil
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set, err := parse(args, stderr)
	if err != nil {
		return err
	}
	s, done, err := newSoak(set, stdout) //nolint:contextcheck // its server listens until done
	if err != nil {
		return err
	}
	defer done()
	err = s.play(ctx)
	s.summary()
	return errors.Join(err, s.judge())
}
