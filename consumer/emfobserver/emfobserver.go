// Package emfobserver counts what happens to records in CloudWatch, without an
// agent and without a request: an [Observer] writes lines in CloudWatch's
// embedded metric format, out of which CloudWatch Logs makes metrics. A Lambda
// function's standard output gets there by itself; elsewhere a container's
// awslogs driver or an agent that ships logs does.
//
// There is one metric, Events, with two dimensions: Consumer, which is given,
// and Outcome, one of the twenty or so that package countobserver counts. No
// value of a record is ever a dimension, so that the number of metrics, which
// is what CloudWatch charges for, does not grow with the work; an outcome that
// never happens costs nothing. The share of duplicates is a metric expression:
//
//	duplicate = Events of Outcome "duplicate", sum
//	completed = Events of Outcome "completed", sum
//	100 * duplicate / (duplicate + completed)
//
// Hand the Observer to the guard, which tells what becomes of each record, and
// to the source (lambdasource.Options, sqssource.Options), which tells when a
// batch has ended.
//
// An Observer starts no goroutine. It writes at the end of each batch, which
// is before a Lambda function answers and is frozen, or every so often while
// events come, and what is left when [Observer.Flush] is called.
package emfobserver

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/countobserver"
)

// Options configures an [Observer].
type Options struct {
	// Consumer is the value of the dimension Consumer: that of the guard's
	// options, as a rule. Printable ASCII, not beginning with a colon.
	// Required.
	Consumer string

	// Namespace is that of the metric. Defaults to "onlyonce".
	Namespace string

	// Interval is how long counts gather while events come, for pollers, whose
	// batches are many and small; call Flush at the end. Defaults to 0: counts
	// are written at the end of each batch, and otherwise each minute.
	Interval time.Duration
}

const (
	defaultNamespace = "onlyonce"
	defaultInterval  = time.Minute
	maxNamespace     = 255
	maxDimension     = 1024
)

// Observer is a [consumer.Observer] that writes metrics. It is safe for
// concurrent use.
type Observer struct {
	w        io.Writer
	o        Options
	batches  bool // each batch is written
	counters countobserver.Counters
	count    consumer.Observer
	due      atomic.Int64 // when the interval ends, in Unix nanoseconds

	mu      sync.Mutex // held while writing
	written map[countobserver.Name]int64
}

var _ consumer.Observer = (*Observer)(nil)

// New returns an Observer that writes to w, one Write for each flush; several
// may share a w that takes writes at once, as files do. It panics when w is
// missing, when Interval is negative or when CloudWatch would not take
// Consumer or Namespace.
func New(w io.Writer, o Options) *Observer {
	if o.Namespace == "" {
		o.Namespace = defaultNamespace
	}
	switch {
	case w == nil:
		panic("emfobserver: New needs a writer")
	case !validDimension(o.Consumer):
		panic(fmt.Sprintf("emfobserver: New: Options.Consumer %q cannot be a dimension", o.Consumer))
	case !validNamespace(o.Namespace):
		panic(fmt.Sprintf("emfobserver: New: Options.Namespace %q cannot be a namespace", o.Namespace))
	case o.Interval < 0:
		panic("emfobserver: New: negative Options.Interval")
	}
	e := &Observer{w: w, o: o, batches: o.Interval == 0}
	if e.batches {
		e.o.Interval = defaultInterval
	}
	e.count = e.counters.Observer(o.Consumer)
	e.due.Store(time.Now().Add(e.o.Interval).UnixNano())
	return e
}

// Observe counts ev, and writes when it is time. What could not be written is
// written with what comes later.
func (o *Observer) Observe(ctx context.Context, ev consumer.Event) {
	o.count.Observe(ctx, ev)
	_, ended := ev.(consumer.BatchDone)
	now := time.Now()
	due := o.due.Load()
	switch {
	case o.batches && ended:
	case now.UnixNano() >= due && o.due.CompareAndSwap(due, now.Add(o.o.Interval).UnixNano()): // one of us writes
	default:
		return
	}
	_ = o.Flush()
}

// Flush writes what was counted and not written yet. Counts are kept when
// nothing of them could be written.
func (o *Observer) Flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.due.Store(time.Now().Add(o.o.Interval).UnixNano())
	counted := o.counters.Snapshot()
	lines, err := o.lines(counted)
	if err != nil || len(lines) == 0 {
		return err
	}
	n, err := o.w.Write(lines)
	if err == nil || n > 0 { // twice would be worse than not at all
		o.written = counted
	}
	if err != nil {
		return fmt.Errorf("emfobserver: %w", err)
	}
	return nil
}

// lines returns a line for each outcome that was counted since the last write.
func (o *Observer) lines(counted map[countobserver.Name]int64) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	now := time.Now().UnixMilli()
	names := slices.SortedFunc(maps.Keys(counted), func(a, b countobserver.Name) int { return cmp.Compare(a.Outcome, b.Outcome) })
	for _, name := range names {
		n := counted[name] - o.written[name]
		if n == 0 {
			continue
		}
		if err := enc.Encode(document{
			AWS: metadata{Timestamp: now, CloudWatchMetrics: []directive{{
				Namespace:  o.o.Namespace,
				Dimensions: [][]string{{"Consumer", "Outcome"}},
				Metrics:    []metric{{Name: "Events", Unit: "Count"}},
			}}},
			Consumer: name.Consumer, Outcome: name.Outcome, Events: n,
		}); err != nil {
			return nil, fmt.Errorf("emfobserver: %w", err)
		}
	}
	return out.Bytes(), nil
}

// document is one line: an object in the embedded metric format.
type document struct {
	AWS      metadata `json:"_aws"`
	Consumer string
	Outcome  string
	Events   int64
}

type metadata struct {
	Timestamp         int64 // Unix milliseconds
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string // names of members of the document
	Metrics    []metric
}

type metric struct {
	Name string // of a member of the document
	Unit string
}

// validDimension tells whether CloudWatch takes s as the value of a dimension.
func validDimension(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) != "" && len(s) <= maxDimension && s[0] != ':'
}

// validNamespace tells whether CloudWatch takes s as a namespace of ours.
func validNamespace(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(".-_/# ", r) {
			return false
		}
	}
	return strings.TrimSpace(s) != "" && len(s) <= maxNamespace && !strings.HasPrefix(s, "AWS/")
}
