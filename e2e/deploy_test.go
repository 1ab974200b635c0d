package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// template.yaml, deployed with the compiled worker in it, keeps its promises.
func TestDeployed(t *testing.T) {
	c := newCloud(t)
	c.uploadWorker(t)
	t.Run("Standard", func(t *testing.T) { testStandard(t, c) })
	t.Run("FIFO", func(t *testing.T) { testFIFO(t, c) })
}

// Each order takes effect once, whether it came as a message, as an event over
// a queue or as an event straight from its rule, and however often it was sent;
// what can never be done ends in the dead-letter queue of its way in, and
// nothing else does.
func testStandard(t *testing.T, c *cloud) {
	t.Parallel()
	next := newNextSystem(t)
	s := c.deploy(t, "standard", next.url, nil)

	var orders []string
	named := func(prefix string, count int) []string {
		var more []string
		for i := range count {
			more = append(more, fmt.Sprintf("%s-%d", prefix, i))
		}
		orders = append(orders, more...)
		return more
	}

	// A producer that sends everything twice, and one order once more at the end.
	messages := append(named("message", 20), named("flaky-message", 2)...)
	var sent []string
	for _, id := range append(slices.Repeat(messages, 2), messages[0]) {
		sent = append(sent, order(id))
	}
	s.send(t, "MessageQueueUrl", "", append(sent, order("poison-message"), "no order")...)

	placed := append(named("placed", 6), named("flaky-placed", 1)...)
	s.put(t, "OrderPlaced", append(slices.Repeat(placed, 2), "poison-placed")...)

	cancelled := named("cancelled", 6)
	s.put(t, "OrderCancelled", slices.Repeat(cancelled, 2)...)
	s.put(t, "OrderForgotten", "forgotten") // nobody's pattern

	// ministack tries a rule's function once, AWS three times: what fails at first is therefore handed to Lambda as a rule does it.
	failing := append(named("flaky-cancelled", 1), "poison-cancelled")
	for _, id := range append(failing, cancelled[0]) {
		s.invoke(t, "DirectWorker", event("OrderCancelled", id))
	}

	dead := s.receive(t, "MessageDeadLettersUrl", 2)
	if got, want := bodies(dead), []string{"no order", order("poison-message")}; !slices.Equal(got, want) {
		t.Errorf("messages: got dead letters %q, want %q", got, want)
	}
	dead = s.receive(t, "EventDeadLettersUrl", 1)
	if got := bodies(dead); len(got) != 1 || !strings.Contains(got[0], "poison-placed") {
		t.Errorf("events: got dead letters %q, want the poison", got)
	}
	lost := s.receive(t, "LostEventsUrl", 1)
	if got := bodies(lost); len(got) != 1 || !strings.Contains(got[0], "poison-cancelled") {
		t.Errorf("events given up: got %q, want the poison", got)
	}

	waitFor(t, "every effect", func() bool { return next.done() >= len(orders) })
	s.drained(t, "MessageQueueUrl")
	s.drained(t, "EventQueue")
	for queue, want := range map[string]int{"MessageDeadLettersUrl": 2, "EventDeadLettersUrl": 1, "LostEventsUrl": 1} {
		if got := s.holds(t, queue); got != want {
			t.Errorf("%s: got %d messages, want only the poison, %d", queue, got, want)
		}
	}
	next.check(t, orders)
	for id, most := range map[string]int{"poison-message": 5, "poison-placed": 5, "poison-cancelled": 3} {
		if got := next.tries(id); got < 2 || got > most {
			t.Errorf("%s: got %d tries, want up to %d", id, got, most)
		}
	}
}

// The stack with Fifo=true keeps the order of each message group, also of one
// in which a message fails at first, and does nothing twice.
func testFIFO(t *testing.T, c *cloud) {
	t.Parallel()
	next := newNextSystem(t)
	s := c.deploy(t, "fifo", next.url, map[string]string{"Fifo": "true"})
	if url := s.names["MessageQueueUrl"]; !strings.HasSuffix(url, ".fifo") {
		t.Fatalf("got queue %s, want a FIFO queue", url)
	}

	var orders []string
	for _, group := range []string{"a", "b", "c"} {
		ids := []string{group + "-0", group + "-1", "flaky-" + group, group + "-2", group + "-3"}
		orders = append(orders, ids...)
		var sent []string
		for _, id := range slices.Insert(slices.Clone(ids), 4, ids[1]) { // one comes again
			sent = append(sent, order(id))
		}
		s.send(t, "MessageQueueUrl", group, sent...)
	}
	s.send(t, "MessageQueueUrl", "p", order("poison"))

	dead := s.receive(t, "MessageDeadLettersUrl", 1)
	if got, want := bodies(dead), []string{order("poison")}; !slices.Equal(got, want) {
		t.Errorf("got dead letters %q, want %q", got, want)
	}
	s.drained(t, "MessageQueueUrl")
	if got := s.holds(t, "MessageDeadLettersUrl"); got != 1 {
		t.Errorf("got %d dead letters, want only the poison", got)
	}
	next.check(t, orders)
	for _, group := range []string{"a", "b", "c"} {
		var got []string
		for _, c := range next.all() {
			if strings.HasPrefix(c.order, group+"-") || c.order == "flaky-"+group {
				got = append(got, c.order)
			}
		}
		want := []string{group + "-0", group + "-1", "flaky-" + group, "flaky-" + group, group + "-2", group + "-3"}
		if !slices.Equal(got, want) {
			t.Errorf("group %s: got calls %q, want %q", group, got, want)
		}
	}
}

// put puts an event for each order on the stack's bus, each with an id of its own.
func (s *stack) put(t *testing.T, detailType string, orders ...string) {
	t.Helper()
	for chunk := range slices.Chunk(orders, 10) {
		in := new(eventbridge.PutEventsInput)
		for _, id := range chunk {
			in.Entries = append(in.Entries, eb.PutEventsRequestEntry{
				EventBusName: aws.String(s.names["EventBusName"]), Source: aws.String("shop"),
				DetailType: &detailType, Detail: aws.String(order(id)),
			})
		}
		out, err := s.events.PutEvents(t.Context(), in)
		if err != nil || out.FailedEntryCount > 0 {
			t.Fatalf("put %s: %v, failed: %+v", detailType, err, out)
		}
	}
}

// event is what EventBridge hands to a target.
func event(detailType, id string) string {
	return fmt.Sprintf(`{"version":"0","id":"id-of-%s","detail-type":%q,"source":"shop","account":"000000000000",`+
		`"time":"2026-01-02T03:04:05Z","region":"us-east-1","resources":[],"detail":%s}`, id, detailType, order(id))
}

// invoke gives a function an event, as EventBridge does.
func (s *stack) invoke(t *testing.T, function, event string) {
	t.Helper()
	_, err := s.functions.Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(s.names[function]), InvocationType: types.InvocationTypeEvent, Payload: []byte(event),
	})
	if err != nil {
		t.Fatal(err)
	}
}
