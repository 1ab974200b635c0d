package countobserver_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"sync"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/consumer/countobserver"
)

// every is one of each event, with what it counts as.
var every = []struct {
	event consumer.Event
	want  map[string]int64
}{
	{consumer.Claimed{}, map[string]int64{"claimed": 1}},
	{consumer.Claimed{TookOver: true}, map[string]int64{"taken_over": 1}},
	{consumer.Duplicate{}, map[string]int64{"duplicate": 1}},
	{consumer.InProgress{}, map[string]int64{"in_progress": 1}},
	{consumer.Parked{}, map[string]int64{"parked": 1}},
	{consumer.Rejected{}, map[string]int64{"rejected": 1}},
	{consumer.Completed{}, map[string]int64{"completed": 1}},
	{consumer.CompletionLost{}, map[string]int64{"completion_lost": 1}},
	{consumer.Released{}, map[string]int64{"released": 1}},
	{consumer.LeaseLost{}, map[string]int64{"lease_lost": 1}},
	{consumer.Abandoned{}, map[string]int64{"abandoned": 1}},
	{consumer.Failed{}, map[string]int64{"failed": 1}},
	{consumer.StoreFailed{Ops: 7}, map[string]int64{"store_failed": 1}},
	{consumer.RetentionShort{}, map[string]int64{"retention_short": 1}},
	{consumer.BatchDone{Records: 9, Done: 7, Failed: 2}, map[string]int64{"done": 7}},
	{consumer.BatchDone{Records: 2, Failed: 2}, map[string]int64{}},
	{consumer.Received{Messages: 3, Asked: 10}, map[string]int64{"received": 3}},
	{consumer.Redelivered{}, map[string]int64{"redelivered": 1}},
	{consumer.Returned{}, map[string]int64{"returned": 1}},
	{consumer.VisibilityLost{}, map[string]int64{"visibility_lost": 1}},
	{consumer.DeleteFailed{}, map[string]int64{"delete_failed": 1}},
	{consumer.DeadLettered{}, map[string]int64{"dead_lettered": 1}},
	{consumer.QueueFailed{}, map[string]int64{"queue_failed": 1}},
	{consumer.QueueUnfit{}, map[string]int64{"queue_unfit": 1}},
	{consumer.Paused{}, map[string]int64{"paused": 1}},
	{news{"tomorrow"}, map[string]int64{}},
}

// news is a kind of event that this release does not know.
type news struct{ name string }

func (n news) EventName() string { return n.name }

// Each event counts as its outcome, for its consumer alone.
func TestOutcomes(t *testing.T) {
	for _, e := range every {
		var c countobserver.Counters
		o := c.Observer("orders")
		c.Observer("others")
		o.Observe(t.Context(), e.event)
		want := map[countobserver.Name]int64{}
		for outcome, n := range e.want {
			want[countobserver.Name{Consumer: "orders", Outcome: outcome}] = n
		}
		if got := c.Snapshot(); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", e.event.EventName(), got, want)
		}
	}
}

// No kind of event of package consumer is forgotten.
func TestEveryEvent(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, e := range every {
		known[fmt.Sprintf("%T", e.event)] = true
	}
	n := 0
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil || f.Name.Name != "EventName" {
			continue
		}
		n++
		if kind := fmt.Sprint("consumer.", f.Recv.List[0].Type); !known[kind] {
			t.Errorf("%s is not counted: decide what it counts as", kind)
		}
	}
	if n == 0 {
		t.Error("no event was found in events.go")
	}
}

// Nothing is lost when many count at once, and consumers do not mix.
func TestConcurrent(t *testing.T) {
	var c countobserver.Counters
	var all sync.WaitGroup
	for i := range 8 {
		o := c.Observer(fmt.Sprint("c", i%2))
		all.Go(func() {
			for range 1000 {
				o.Observe(t.Context(), consumer.Completed{})
				c.Snapshot()
			}
		})
	}
	all.Wait()
	want := map[countobserver.Name]int64{{Consumer: "c0", Outcome: "completed"}: 4000, {Consumer: "c1", Outcome: "completed"}: 4000}
	if got := c.Snapshot(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A snapshot is the reader's own.
func TestSnapshotCopies(t *testing.T) {
	var c countobserver.Counters
	c.Snapshot()[countobserver.Name{}] = 1
	c.Observer("orders").Observe(t.Context(), consumer.Completed{})
	c.Snapshot()[countobserver.Name{Consumer: "orders", Outcome: "completed"}] = 7
	if got := c.Snapshot(); len(got) != 1 || got[countobserver.Name{Consumer: "orders", Outcome: "completed"}] != 1 {
		t.Errorf("got %v, want one record completed", got)
	}
}

// A test hands the observer to the guard of the worker under test, and looks
// at the counters afterwards; here the guard's events are made by hand.
func ExampleCounters() {
	var counters countobserver.Counters
	observer := counters.Observer("orders") // dedupe.Options{Consumer: "orders", Observer: observer}
	for _, e := range []consumer.Event{consumer.Completed{}, consumer.Completed{}, consumer.Duplicate{}} {
		observer.Observe(context.Background(), e)
	}

	n := counters.Snapshot()
	fmt.Println("completed", n[countobserver.Name{Consumer: "orders", Outcome: "completed"}])
	fmt.Println("duplicate", n[countobserver.Name{Consumer: "orders", Outcome: "duplicate"}])
	// Output:
	// completed 2
	// duplicate 1
}
