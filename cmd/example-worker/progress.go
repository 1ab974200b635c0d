package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress shows how the demo goes: on a terminal a bar that is drawn again
// in place, elsewhere a line for every tenth of the way.
type progress struct {
	out      io.Writer
	messages int
	bar      bool
	color    bool

	tenths  int // lines written
	crashes int // told
	drawn   bool
	at      time.Time // of the last drawing
	err     error     // of the first write that failed: nobody looks any more
}

func newProgress(out io.Writer, messages int, via string, getenv func(string) string) *progress {
	bar := isTerminal(out) && getenv("TERM") != "dumb"
	p := &progress{out: out, messages: messages, bar: bar, color: bar && getenv("NO_COLOR") == ""}
	worker := "a Lambda function"
	if via == viaPoll {
		worker = "a poller"
	}
	p.printf("%s through a queue and %s on this machine\n", count(messages, "order goes", "orders go"), worker)
	return p
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

const (
	barWidth  = 20
	redrawing = 100 * time.Millisecond
	clearLine = "\r\x1b[K"
)

// update shows s if there is something new to show.
func (p *progress) update(s status, took time.Duration) {
	if s.crashes > p.crashes {
		p.crashes = s.crashes
		p.line(p.paint("31", fmt.Sprintf("worker killed in mid-batch after %s: another one is started", count(s.totals.effects, "effect", "effects"))))
	}
	if p.bar {
		if time.Since(p.at) >= redrawing {
			p.draw(s, took)
		}
		return
	}
	if tenths := 10 * s.totals.effects / p.messages; tenths > p.tenths {
		p.tenths = tenths
		p.printf("%3d %%  %s\n", 10*tenths, p.counters(s, took))
	}
}

// draw draws the bar; a line of it has at most 80 columns.
func (p *progress) draw(s status, took time.Duration) {
	p.at, p.drawn = time.Now(), true
	full := min(barWidth, barWidth*s.totals.effects/p.messages)
	bar := p.paint("32", strings.Repeat("#", full)) + strings.Repeat(".", barWidth-full)
	p.printf("%s[%s] %s", clearLine, bar, p.counters(s, took))
}

func (p *progress) counters(s status, took time.Duration) string {
	return fmt.Sprintf("done %d  skipped %d  failed %d  %.1f s", s.totals.effects, s.worker.skipped, s.worker.failed, took.Seconds())
}

// line writes a line above the bar.
func (p *progress) line(text string) {
	p.clear()
	p.printf("%s\n", text)
}

func (p *progress) clear() {
	if p.drawn {
		p.printf("%s", clearLine)
	}
	p.drawn = false
}

// end removes the bar: what follows says more.
func (p *progress) end() { p.clear() }

func (p *progress) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format, args...); err != nil && p.err == nil {
		p.err = err
	}
}

// paint colors text where colors are wanted.
func (p *progress) paint(code, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
