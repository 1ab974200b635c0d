package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/pause"
)

// memory is what the process has used, sampled.
type memory struct {
	rss  []float64 // MiB, each time something was told
	heap []float64
}

func (m *memory) sample() (rss, heap float64) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	rss, heap = resident(), float64(stats.HeapInuse)/(1<<20)
	m.rss, m.heap = append(m.rss, rss), append(m.heap, heap)
	return rss, heap
}

// resident is the memory that the process has by itself, in MiB, without the pages of files; 0 where the system does not
// tell (Linux does).
func resident() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(text), "RssAnon:")
	var kib float64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		return 0
	}
	return kib / 1024
}

// tell prints a line now and then, until ctx ends.
func (s *soak) tell(ctx context.Context) {
	for {
		pause.For(ctx, s.every)
		sent, done := s.ledger.progress()
		rss, heap := s.memory.sample()
		_, of := s.counts.sorted()
		faults := 0
		for _, n := range of {
			faults += n
		}
		fmt.Fprintf(s.out, "%6s  sent %6d  done %6d  in the queues %5d  trouble %6d  resident %4.0f MiB  heap %4.0f MiB  goroutines %4d\n",
			time.Since(s.began).Round(time.Second), sent, done, s.waiting(), faults, rss, heap, runtime.NumGoroutine())
		if ctx.Err() != nil {
			return
		}
	}
}

// summary prints what happened.
func (s *soak) summary() {
	for _, part := range []struct {
		title string
		c     *counts
	}{{"What went wrong", &s.counts}, {"What observers were told", &s.events}, {"What the pollers reported", &s.reports}} {
		fmt.Fprintf(s.out, "\n%s\n", part.title)
		names, of := part.c.sorted()
		for _, name := range names {
			fmt.Fprintf(s.out, "  %-28s %8d\n", name, of[name])
		}
	}
	fmt.Fprintf(s.out, "\nMemory, MiB: median of each quarter (most)\n")
	for name, all := range map[string][]float64{"resident": s.memory.rss, "heap": s.memory.heap} {
		fmt.Fprintf(s.out, "  %-10s", name)
		for q := range 4 {
			part := slices.Sorted(slices.Values(all[q*len(all)/4 : (q+1)*len(all)/4]))
			if len(part) > 0 {
				fmt.Fprintf(s.out, " %5.0f (%.0f)", part[len(part)/2], part[len(part)-1])
			}
		}
		fmt.Fprintln(s.out)
	}
}

// judge tells what must not be, if there is anything.
func (s *soak) judge() error {
	letters := make(map[int]bool)
	for _, queue := range []string{dead, deadFIFO} {
		for _, m := range s.server.Messages(queue) {
			n, err := numberOf(m.Body)
			if err != nil {
				return fmt.Errorf("dead letter %q: %w", m.Body, err)
			}
			letters[n] = true
		}
	}
	wrong, wrongs := s.ledger.judge(func(n int) plan { return planOf(s.seed, n) }, letters)
	if n := s.waiting(); n > 0 {
		wrong, wrongs = append(wrong, fmt.Sprintf("%d messages are left in the queues", n)), wrongs+1
	}
	if _, of := s.reports.sorted(); of["WRONG SUMS"] > 0 {
		wrong, wrongs = append(wrong, "a report does not sum up"), wrongs+1
	}
	if most := slices.Max(append(s.memory.rss, 0)); most > float64(s.most) {
		wrong, wrongs = append(wrong, fmt.Sprintf("%.0f MiB were resident, of %d", most, s.most)), wrongs+1
	}
	sent, done := s.ledger.progress()
	if wrongs > 0 {
		return errors.New(fmt.Sprint(wrongs, " things are wrong:\n  ", strings.Join(wrong, "\n  ")))
	}
	fmt.Fprintf(s.out, "\n%d messages: %d done, each once; %d dead letters, as it was to be; the queues are empty.\n", sent, done, len(letters))
	return nil
}
