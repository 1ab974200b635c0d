package sqstest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// attributed gives a message an attribute of each type.
func attributed(in *sqs.SendMessageInput) {
	in.MessageAttributes = map[string]types.MessageAttributeValue{
		"kind.name": {DataType: aws.String("String"), StringValue: aws.String("größe")},
		"kind.size": {DataType: aws.String("Number.int"), StringValue: aws.String("7")},
		"raw":       {DataType: aws.String("Binary"), BinaryValue: []byte{0, 0xff, 1}},
	}
}

func named(name string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		in.MessageAttributes = map[string]types.MessageAttributeValue{
			name: {DataType: aws.String("String"), StringValue: aws.String("v")},
		}
	}
}

func asking(names ...string) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.MessageAttributeNames = names }
}

func sendSchedules() []schedule {
	return []schedule{{
		name: "what is received is what was sent",
		page: "API SendMessage, API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			body := "{\"text\": \"<&> größe \U0001F600\\n\"}\n\t"
			sent := p.send(url, body)
			got := p.one(url)
			p.note("body %v, id %v, digest %v", *got.Body == body, *got.MessageId == *sent.MessageId,
				aws.ToString(got.MD5OfBody) == aws.ToString(sent.MD5OfMessageBody))
		},
		want: "body true, id true, digest true",
	}, {
		// The digest was computed apart, as the page says.
		name: "message attributes",
		page: "sqs-message-metadata",
		run: func(p *play) {
			url := p.queue(nil)
			sent := p.send(url, "a", attributed)
			got := p.one(url, asking("All"))
			for _, name := range slices.Sorted(maps.Keys(got.MessageAttributes)) {
				a := got.MessageAttributes[name]
				p.note("%s %s %q %v", name, *a.DataType, aws.ToString(a.StringValue), a.BinaryValue)
			}
			p.note("digest %s %s", aws.ToString(sent.MD5OfMessageAttributes), aws.ToString(got.MD5OfMessageAttributes))
		},
		want: `
			kind.name String "größe" []
			kind.size Number.int "7" []
			raw Binary "" [0 255 1]
			digest 42125a02868d14b00f7add78212e2944 42125a02868d14b00f7add78212e2944`,
	}, {
		name: "message attributes by prefix",
		page: "API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a", attributed)
			got := p.one(url, asking("kind.*"))
			p.note("%s", strings.Join(slices.Sorted(maps.Keys(got.MessageAttributes)), " "))
		},
		want: "kind.name kind.size",
		knownWrong: wrongs{
			"elasticmq": {"knows names and All only", ""},
		},
	}, {
		name: "message attributes nobody asked for",
		page: "API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a", attributed)
			got := p.one(url)
			p.note("%d %q", len(got.MessageAttributes), aws.ToString(got.MD5OfMessageAttributes))
		},
		want: `0 ""`,
	}, {
		name: "message attribute names",
		page: "API SendMessage",
		run: func(p *play) {
			url := p.queue(nil)
			for _, name := range []string{"a.b-c_d", ".a", "a.", "a..b", "AWS.a", "amazon.a", "a b", strings.Repeat("n", 257)} {
				_, err := p.trySend(url, "a", named(name))
				p.note("%.8s: %s", name, p.refused(err))
			}
		},
		want: `
			a.b-c_d: ok
			.a: refused
			a.: refused
			a..b: refused
			AWS.a: refused
			amazon.a: refused
			a b: refused
			nnnnnnnn: refused`,
		knownWrong: wrongs{
			"ministack": {"takes any name", ".a: ok"},
			"elasticmq": {"takes any name", ".a: ok"},
		},
	}, {
		name: "trace header",
		page: "API SendMessage, API ReceiveMessage",
		run: func(p *play) {
			url := p.queue(nil)
			p.send(url, "a", func(in *sqs.SendMessageInput) {
				in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
					"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-2-3")},
				}
			})
			p.note("%s", system(p.one(url), "AWSTraceHeader"))
		},
		want: "Root=1-2-3",
	}, {
		name: "characters that XML has not",
		page: "API SendMessage",
		run: func(p *play) {
			url := p.queue(nil)
			for _, body := range []string{"a\x01b", "a\uffffb"} {
				_, err := p.trySend(url, body)
				p.note("%+q: %s", body, p.code(err))
			}
		},
		want: `
			"a\x01b": InvalidMessageContents
			"a\uffffb": InvalidMessageContents`,
		knownWrong: wrongs{
			"elasticmq": {"refuses with other codes", `"a\x01b": InvalidAttributeValue`},
		},
	}, {
		name: "longest message",
		page: "quotas-messages, API SendMessage",
		run: func(p *play) {
			url := p.queue(nil)
			_, err := p.trySend(url, strings.Repeat("x", 1<<20))
			p.note("1 MiB: %s", p.refused(err))
			_, err = p.trySend(url, strings.Repeat("x", 1<<20+1))
			p.note("one byte more: %s", p.refused(err))
		},
		want: `
			1 MiB: ok
			one byte more: refused`,
	}, {
		name: "delay of a message",
		page: "sqs-message-timers",
		run: func(p *play) {
			url := p.queue(nil)
			start := time.Now()
			p.send(url, "late", delayed(3)) // a loaded machine may need a second to receive the other
			p.send(url, "now")
			p.note("first: %s", *p.one(url).Body)
			p.note("then: %s", *p.one(url).Body)
			p.after("then", start, 3*time.Second)
		},
		want: `
			first: now
			then: late
			then: after 3s`,
	}, {
		name: "delay of a queue",
		page: "sqs-delay-queues",
		run: func(p *play) {
			url := p.fifo(attrs{"DelaySeconds": "1"})
			start := time.Now()
			p.sendGroup(url, "a1")
			p.note("%s", *p.one(url).Body)
			p.after("a1", start, time.Second)
		},
		want: `
			a1
			a1: after 1s`,
	}, {
		name: "delay of a message of a FIFO queue",
		page: "API SendMessage, sqs-message-timers",
		run: func(p *play) {
			_, err := p.trySend(p.fifo(nil), "a1", group("a"), delayed(1))
			p.note("%s", p.refused(err))
		},
		want: "refused",
	}, {
		name: "delay out of range",
		page: "API SendMessage",
		run: func(p *play) {
			_, err := p.trySend(p.queue(nil), "a", delayed(901))
			p.note("%s", p.refused(err))
		},
		want: "refused",
		knownWrong: wrongs{
			"ministack": {"takes any number", "ok"},
		},
	}, {
		name: "batch of ten",
		page: "API SendMessageBatch",
		run: func(p *play) {
			url := p.queue(nil)
			in := &sqs.SendMessageBatchInput{QueueUrl: url}
			for i := range 10 {
				in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
					Id: aws.String(fmt.Sprint("id", i)), MessageBody: aws.String(fmt.Sprint(i)),
				})
			}
			out, err := p.client.SendMessageBatch(p.Context(), in)
			p.must("send", err)
			p.note("%d successful, %d failed", len(out.Successful), len(out.Failed))
			p.note("%s", show(p.collect(url, 10)))
		},
		want: `
			10 successful, 0 failed
			0 1 2 3 4 5 6 7 8 9`,
	}}
}
