package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progress tells which part is run: on a terminal with the seconds that go by.
type progress struct {
	out   io.Writer
	live  bool
	parts int
	part  int

	line string
	stop chan struct{}
	idle sync.WaitGroup
}

func newProgress(out io.Writer, parts int) *progress {
	return &progress{out: out, parts: parts, live: isTerminal(out)}
}

// isTerminal tells whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// begin tells that the next part is run.
func (p *progress) begin(title string) {
	p.part++
	p.line = fmt.Sprintf("[%d/%d] %s ... ", p.part, p.parts, title)
	fmt.Fprint(p.out, p.line)
	if !p.live {
		return
	}
	p.stop = make(chan struct{})
	p.idle.Go(func() { p.count(time.Now()) })
}

// count shows the seconds until the part has ended.
func (p *progress) count(began time.Time) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(p.out, "\r%s%.0f s ", p.line, time.Since(began).Seconds())
		case <-p.stop:
			fmt.Fprintf(p.out, "\r%s", p.line)
			return
		}
	}
}

// end tells what came of the part.
func (p *progress) end(state string, took time.Duration) {
	if p.live {
		close(p.stop)
		p.idle.Wait()
	}
	fmt.Fprintf(p.out, "%s, %.0f s\n", state, took.Seconds())
}
