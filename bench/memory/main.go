// Command memory measures what memory a poller's process needs for so many messages: the poller runs as a process of its own
// against a load server in this one, and says at 1, 10, 50 and 100 percent of the way what it holds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

// task is one run.
type task struct {
	Dedupe   string // one of kinds
	Messages int
	Body     int
	Handler  time.Duration
	Slots    int
	URL      string // of the load server
}

// kinds are the ways to deduplicate that are measured.
func kinds() []string { return []string{"none", "memory", "memory-10s", "bolt"} }

// run is the program. Its first argument makes it the poller's process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == pollCommand {
		return pollMain(ctx, args[1], stdin, stdout)
	}
	var t task
	f := flag.NewFlagSet("memory", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&t.Messages, "messages", 1_000_000, "`how many` messages each run handles, a few more")
	f.IntVar(&t.Body, "body", 256, "`bytes` of a message's body")
	f.DurationVar(&t.Handler, "handler", 0, "how `long` a handler takes")
	f.IntVar(&t.Slots, "slots", 64, "`how many` handlers run at once")
	which := f.String("dedupe", strings.Join(kinds(), ","), "the `kinds` to run; memory-10s forgets after 10 s")
	most := f.Float64("most", 0, "fail when a process had more than so many `MiB`; 0 never does")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || t.Messages < 100 || t.Slots < 1 {
		return errors.New("takes no arguments, and 100 messages at least: see --help")
	}
	fmt.Fprintf(stdout, "%d messages of %d bytes, handlers of %v in %d slots. MiB: live is the heap after a collection,\n"+
		"resident without and with the pages of files, most is the peak of the latter.\n", t.Messages, t.Body, t.Handler, t.Slots)
	var tooMuch error
	for _, t.Dedupe = range strings.Split(*which, ",") {
		peak, err := t.measure(ctx, stdout)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Dedupe, err)
		}
		if *most > 0 && peak > *most {
			tooMuch = fmt.Errorf("%s: %.1f MiB were resident, at most %.1f are to be", t.Dedupe, peak, *most)
		}
	}
	return tooMuch
}
