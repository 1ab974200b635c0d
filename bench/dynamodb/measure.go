package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// A batch's records are fresh, duplicates of finished ones, or by turns.
const (
	caseFresh     = "fresh"
	caseDuplicate = "duplicate"
	caseMixed     = "mixed"
)

func caseNames() []string { return []string{caseFresh, caseDuplicate, caseMixed} }

// cell is one line of the table: what its contenders cost, turn by turn.
type cell struct {
	name       string
	batch      int
	rtt        time.Duration
	contenders []string
	turns      [][]turn // by contender and round
}

// turn is what one contender cost in one round.
type turn struct {
	cpu      time.Duration // per record
	requests float64       // per record
	wall     time.Duration // per batch, the median
	store    time.Duration // the server's own, per batch
	rtt      time.Duration // per request, as it was
}

// measurement measures all cells.
type measurement struct {
	settings
	server   *server
	clients  map[string]*dynamodb.Client // of each contender, with its connections
	progress io.Writer
	ids      int // used so far
}

func newMeasurement(s settings, server *server, progress io.Writer) *measurement {
	m := &measurement{settings: s, server: server, progress: progress, clients: map[string]*dynamodb.Client{}}
	for _, name := range s.contenders {
		m.clients[name] = newClient(server.url)
	}
	return m
}

func (m *measurement) cells(ctx context.Context) (all []cell, err error) {
	n := len(m.cases) * len(m.batches) * len(m.rtts)
	for _, rtt := range m.rtts {
		for _, name := range m.cases {
			for _, batch := range m.batches {
				fmt.Fprintf(m.progress, "dynamodb: %d of %d: %s, batches of %d, round trip %v\n", len(all)+1, n, name, batch, rtt)
				c, err := m.cell(ctx, name, batch, rtt)
				if err != nil {
					return nil, err
				}
				all = append(all, c)
			}
		}
	}
	return all, nil
}

func (m *measurement) cell(ctx context.Context, name string, batch int, rtt time.Duration) (cell, error) {
	c := cell{name: name, batch: batch, rtt: rtt, contenders: m.contenders}
	c.turns = make([][]turn, len(c.contenders))
	for round := range m.rounds {
		for k := range c.contenders {
			i := (round + k) % len(c.contenders)
			t, err := m.turnOf(ctx, c.contenders[i], name, batch, rtt)
			if err != nil {
				return c, fmt.Errorf("%s, %s, batches of %d: %w", c.contenders[i], name, batch, err)
			}
			c.turns[i] = append(c.turns[i], t)
		}
	}
	return c, nil
}

// leastBatches is how many batches a turn has, however long they take.
const leastBatches = 2

// turnOf lets one contender work for a turn on a table of its own.
func (m *measurement) turnOf(ctx context.Context, contender, name string, batch int, rtt time.Duration) (turn, error) {
	if err := m.server.empty(ctx, rtt); err != nil {
		return turn{}, err
	}
	var runs atomic.Int64
	h := consumer.HandlerFunc(func(context.Context, *consumer.Record) error {
		runs.Add(1)
		return nil
	})
	w := m.newWork(name, batch)
	c := newContender(contender, m.clients[contender], h)
	for range 2 { // connections, and the rows of duplicates
		if err := c.process(ctx, w.next()); err != nil {
			return turn{}, err
		}
	}
	if err := m.server.forget(ctx); err != nil {
		return turn{}, err
	}
	t, batches, err := m.timed(ctx, c, w)
	if err != nil {
		return turn{}, err
	}
	seen, err := m.server.tally(ctx)
	if err != nil {
		return turn{}, err
	}
	if err := w.check(runs.Load(), seen.Completed); err != nil {
		return turn{}, err
	}
	t.requests = float64(seen.Requests) / float64(batches*batch)
	t.store = seen.Busy / time.Duration(batches)
	t.rtt = seen.Waited / time.Duration(max(seen.Requests, 1))
	m.ids = w.used
	return t, nil
}

// timed runs batches until the turn is over.
func (m *measurement) timed(ctx context.Context, c contender, w *work) (t turn, batches int, err error) {
	runtime.GC() // nobody pays for the garbage of another
	var walls []time.Duration
	from, err := cpuTime()
	if err != nil {
		return t, 0, err
	}
	for began := time.Now(); len(walls) < leastBatches || time.Since(began) < m.turn; {
		recs := w.next()
		at := time.Now()
		if err := c.process(ctx, recs); err != nil {
			return t, 0, err
		}
		walls = append(walls, time.Since(at))
	}
	to, err := cpuTime()
	slices.Sort(walls)
	t.wall = walls[len(walls)/2]
	t.cpu = (to - from) / time.Duration(len(walls)*len(w.recs))
	return t, len(walls), err
}

// work makes the batches of one turn and knows what they must lead to.
type work struct {
	recs  []*consumer.Record
	again []bool // the records that stay the same
	begun bool
	used  int // ids, of this turn and those before
	fresh int // ids, of this turn
}

func (m *measurement) newWork(name string, batch int) *work {
	w := &work{recs: make([]*consumer.Record, batch), again: make([]bool, batch), used: m.ids}
	for i := range w.recs {
		w.recs[i] = &consumer.Record{Body: []byte(`{"order_id":"o-1"}`)}
		w.again[i] = name == caseDuplicate || name == caseMixed && i%2 == 1
	}
	return w
}

// next returns the next batch; in the first one all records are fresh.
func (w *work) next() []*consumer.Record {
	for i, rec := range w.recs {
		if w.begun && w.again[i] {
			continue
		}
		w.used++
		w.fresh++
		rec.ID = "0194c8a4-7d0e-7c3a-8f00-" + strconv.Itoa(100_000_000_000+w.used)
	}
	w.begun = true
	return w.recs
}

// check compares what was done with what had to be.
func (w *work) check(runs int64, completed int) error {
	if runs != int64(w.fresh) || completed != w.fresh {
		return fmt.Errorf("the handler ran %d times and %d rows are completed, want %d of both", runs, completed, w.fresh)
	}
	return nil
}
