package sqssource_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

// parts splits a body at its commas; each part is known by its text.
func parts(rec *consumer.Record) (out []*consumer.Record, err error) {
	for text := range strings.SplitSeq(string(rec.Body), ",") {
		out = append(out, &consumer.Record{ID: text, MessageID: rec.MessageID, Body: []byte(text)})
	}
	return out, nil
}

// A message with several records is deleted when all of them are done, and
// what is done of it does not run again; its visibility is kept meanwhile, and
// what is lost ends all of its handlers.
func TestSplit(t *testing.T) {
	for _, name := range []string{"orders", "orders.fifo"} {
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New(sqstest.Options{})
			url := s.CreateQueue(name, map[string]string{"VisibilityTimeout": "4"})
			for _, body := range []string{"a,b,c", "c,d", "e"} {
				in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}
				if name != "orders" {
					group := "g"
					in.MessageGroupId, in.MessageDeduplicationId = &group, &body
				}
				if _, err := s.Client().SendMessage(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			runs := map[string]int{}
			h := consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
				mu.Lock()
				runs[string(rec.Body)]++
				n := runs[string(rec.Body)]
				mu.Unlock()
				time.Sleep(6 * time.Second) // longer than the visibility timeout
				if string(rec.Body) == "b" && n < 3 {
					return errors.New("no")
				}
				return nil
			})
			guard := dedupe.New(memdedupe.New(), dedupe.Options{Consumer: "test"})
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			r, err := sqssource.New(s.Client(), url, guard, h, sqssource.Options{Split: parts}).Run(ctx)
			if err != nil || s.Stats(name).Total() != 0 || r.Received != r.Done+r.Duplicates+r.Failed+r.Released+r.Unsettled || r.Unsettled != 0 {
				t.Errorf("%s: got %+v, %v and %+v in the queue", name, r, err, s.Stats(name))
			}
			for part, want := range map[string]int{"a": 1, "b": 3, "c": 1, "d": 1, "e": 1} {
				if runs[part] != want {
					t.Errorf("%s: %s ran %d times, want %d", name, part, runs[part], want)
				}
			}
		})
	}
}

// All handlers of a message end when its visibility is lost.
func TestSplitVisibilityLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New(sqstest.Options{})
		url := s.CreateQueue("orders", map[string]string{"VisibilityTimeout": "4"})
		body := "a,b,c"
		if _, err := s.Client().SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
		s.Fault(func(op string, _ sqstest.Request) sqstest.Action {
			return sqstest.Action{DropRequest: op == "ChangeMessageVisibilityBatch" || op == "ChangeMessageVisibility"}
		})
		var mu sync.Mutex
		lost := map[string]bool{}
		h := consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			select {
			case <-ctx.Done():
				mu.Lock()
				defer mu.Unlock()
				lost[string(rec.Body)] = errors.Is(context.Cause(ctx), sqssource.ErrVisibilityLost)
			case <-time.After(time.Minute):
			}
			return errors.New("no")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := sqssource.New(s.Client(), url, nil, h, sqssource.Options{Split: parts}).Run(ctx); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"a", "b", "c"} {
			if !lost[part] {
				t.Errorf("%s did not end with ErrVisibilityLost: %v", part, lost)
			}
		}
	})
}
