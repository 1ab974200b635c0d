package consumer_test

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Every observer that there is hears of every event, in order; nils are
// passed over, and none at all is nil.
func TestObservers(t *testing.T) {
	var log []string
	note := func(name string) consumer.Observer {
		return consumer.ObserverFunc(func(_ context.Context, e consumer.Event) {
			log = append(log, name+" "+e.EventName())
		})
	}
	for _, c := range []struct {
		os   []consumer.Observer
		want []string
	}{
		{[]consumer.Observer{note("a"), nil, note("b")}, []string{"a claimed", "b claimed"}},
		{[]consumer.Observer{nil, note("a")}, []string{"a claimed"}},
	} {
		log = nil
		consumer.Observers(c.os...).Observe(t.Context(), consumer.Claimed{})
		if !slices.Equal(log, c.want) {
			t.Errorf("told %q, want %q", log, c.want)
		}
	}
	for _, none := range [][]consumer.Observer{nil, {nil, nil}} {
		if o := consumer.Observers(none...); o != nil {
			t.Errorf("Observers(%v) = %v, want nil", none, o)
		}
	}
}

// Event names are in snake case and no two kinds share one: dashboards are
// built on them.
func TestEventNames(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, e := range []consumer.Event{
		consumer.Claimed{}, consumer.Duplicate{}, consumer.InProgress{}, consumer.Parked{}, consumer.Rejected{},
		consumer.Completed{}, consumer.CompletionLost{}, consumer.Released{}, consumer.LeaseLost{},
		consumer.Abandoned{}, consumer.StoreFailed{}, consumer.RetentionShort{}, consumer.BatchDone{},
		consumer.Received{}, consumer.Redelivered{}, consumer.Returned{}, consumer.VisibilityLost{}, consumer.DeleteFailed{},
		consumer.DeadLettered{}, consumer.QueueFailed{}, consumer.QueueUnfit{}, consumer.Paused{},
	} {
		name := e.EventName()
		if !snake.MatchString(name) || seen[name] {
			t.Errorf("%T has the name %q", e, name)
		}
		seen[name] = true
	}
}
