package lambdasource_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// lanes returns messages of the queue arn: the group is the first letter of
// the id, and the body says which one fails.
func lanes(arn string, bad string, ids ...string) (ms []events.SQSMessage) {
	for _, id := range ids {
		body := id
		if id == bad {
			body = "bad " + id
		}
		ms = append(ms, message(arn, id, id[:1], body))
	}
	return ms
}

// On a FIFO queue nothing of a message group runs behind a failure, and all
// of it is reported; other groups go on.
func TestSQSFIFO(t *testing.T) {
	j := new(journal)
	h := lambdasource.SQS(newGuard(dedupe.Options{}), j)
	want(t, "failed", failed(t, h, payloadOf(t, lanes(fifoARN, "a1", "a1", "b1", "a2", "a3", "b2")...)), "a1", "a2", "a3")
	ran := j.ran()
	if len(ran) != 3 || slices.Contains(ran, "a2") || slices.Index(ran, "b1") > slices.Index(ran, "b2") {
		t.Errorf("ran %q, want a1, b1 and b2, b1 before b2", ran)
	}
}

// Told to stop, a FIFO batch starts next to nothing after a failure, and
// reports everything that was not done.
func TestSQSFIFOStopOnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
			time.Sleep(time.Second)
			return j.HandleRecord(ctx, rec)
		}), lambdasource.Options{StopOnFailure: true, Concurrency: 1})
		ids := []string{"a1", "b1", "c1", "d1", "e1", "f1", "b2"}
		got := failed(t, h, payloadOf(t, lanes(fifoARN, "b1", ids...)...))
		ran := j.ran()
		if len(ran) > 3 { // the one worker may be on to the next record before the failure is known
			t.Errorf("ran %q, want at most one behind the failure", ran)
		}
		want(t, "failed", got, slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(ran, id) })...)
	})
}

// A message group of a standard queue (fair queues) is no order: a failure
// stops nothing, and the group is told.
func TestSQSFairQueue(t *testing.T) {
	j := new(journal)
	h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		if rec.Ordered || rec.Group != "a" {
			return errors.New("ordered or without its group")
		}
		return j.HandleRecord(ctx, rec)
	}))
	want(t, "failed", failed(t, h, payloadOf(t, lanes(standardARN, "a1", "a1", "a2", "a3")...)), "a1")
	if len(j.ran()) != 3 {
		t.Errorf("ran %q, want all three", j.ran())
	}
}

// A broken record stops its message group like one that failed.
func TestSQSFIFOBroken(t *testing.T) {
	payload := string(payloadOf(t, lanes(fifoARN, "", "a1", "b1", "a2", "b2")...))
	payload = strings.Replace(payload, `"body":"a1"`, `"body":"\ud800"`, 1)
	j := new(journal)
	want(t, "failed", failed(t, lambdasource.SQS(nil, j), []byte(payload)), "a1", "a2")
	want(t, "ran", j.ran(), "b1", "b2")
}

// When the message group of a record cannot be read nothing behind it runs,
// since it may be of the same group; what is before it does.
func TestSQSFIFOGroupUnknown(t *testing.T) {
	payload := string(payloadOf(t, lanes(fifoARN, "", "a1", "b1", "a2", "b2")...))
	head, _, _ := strings.Cut(payload, `"a2"`)
	head = head[:strings.LastIndex(head, "{")] // to the end of b1
	tail := payload[len(head):]
	for name, broken := range map[string]string{
		"no group":         strings.Replace(head, `"MessageGroupId":"b",`, ``, 1),
		"number":           strings.Replace(head, `"MessageGroupId":"b"`, `"MessageGroupId":1`, 1),
		"two groups":       strings.Replace(head, `"MessageGroupId":"b"`, `"MessageGroupId":"b","MessageGroupId":"a"`, 1),
		"attributes":       head[:strings.LastIndex(head, `"attributes"`)] + strings.Replace(head[strings.LastIndex(head, `"attributes"`):], `"attributes"`, `"Attributes"`, 1),
		"number for ARN":   head[:strings.LastIndex(head, `"`+fifoARN)] + "1" + head[strings.LastIndex(head, `"`+fifoARN)+len(fifoARN)+2:],
		"attributes twice": head[:strings.LastIndex(head, `"attributes"`)] + `"attributes":{"MessageGroupId":"a"},` + head[strings.LastIndex(head, `"attributes"`):],
		"attributes null":  head[:strings.LastIndex(head, `"attributes"`)] + `"attributes":null,"x":` + head[strings.LastIndex(head, `"attributes":`)+len(`"attributes":`):],
	} {
		if broken == head {
			t.Fatalf("%s: nothing was broken in %s", name, head)
		}
		j := new(journal)
		h := lambdasource.SQS(nil, j)
		want(t, name, failed(t, h, []byte(broken+tail)), "b1", "a2", "b2")
		want(t, name, j.ran(), "a1")
	}
	broken := strings.Replace(payload, `"MessageGroupId":"a",`, ``, 1)
	broken = strings.Replace(broken, `"body":"b1"`, `"body":null`, 1)
	if _, err := lambdasource.SQS(nil, new(journal)).Invoke(t.Context(), []byte(broken)); !errors.Is(err, batch.ErrGroupFailed) {
		t.Errorf("got %v, want ErrGroupFailed for what follows", err)
	} else if !errors.Is(err, sources.ErrBadMember) {
		t.Errorf("got %v, want what is wrong with b1 itself", err)
	}
}
