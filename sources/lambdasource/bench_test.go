package lambdasource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

func nothing(context.Context, *consumer.Record) error { return nil }

// largePayload returns a payload of n messages with bodies of about size bytes
// of JSON.
func largePayload(b *testing.B, n, size int) []byte {
	var ms []events.SQSMessage
	for i := range n {
		m := message(standardARN, fmt.Sprintf("059f36b4-87a3-44ab-83d2-%012d", i), "",
			fmt.Sprintf(`{"order_id":"A-%d","note":`, i)+`"`+strings.Repeat(`lorem \"ipsum\", `, size/16)+`"}`)
		m.Attributes["SenderId"], m.Attributes["ApproximateFirstReceiveTimestamp"] = "AIDAIENQZJOLO23YVJ4VO", "1795263775001"
		m.Md5OfBody, m.AWSRegion = "e4e68fb7bd0e697a0ae8f1bb342846b3", "eu-central-1"
		ms = append(ms, m)
	}
	return payloadOf(b, ms...)
}

// The cost of an invocation with 10 messages, without the work: all of them
// new, all of them done before, and without a guard.
func BenchmarkInvokeSQS(b *testing.B) {
	invoke := func(b *testing.B, h *lambdasource.BatchHandler, payload []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if _, err := h.Invoke(ctx, payload); err != nil {
			b.Fatal(err)
		}
	}
	payload := largePayload(b, 10, 200)
	b.Run("fresh", func(b *testing.B) {
		h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(nothing))
		fresh := bytes.Clone(payload)
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			renumber(fresh, fmt.Sprintf("%08x", n))
			invoke(b, h, fresh)
		}
	})
	b.Run("duplicate", func(b *testing.B) {
		h := lambdasource.SQS(newGuard(dedupe.Options{}), consumer.HandlerFunc(nothing))
		invoke(b, h, payload)
		b.ReportAllocs()
		for b.Loop() {
			invoke(b, h, payload)
		}
	})
	b.Run("unguarded", func(b *testing.B) {
		h := lambdasource.SQS(nil, consumer.HandlerFunc(nothing))
		b.ReportAllocs()
		for b.Loop() {
			invoke(b, h, payload)
		}
	})
}

// renumber puts block at the start of every messageId.
func renumber(payload []byte, block string) {
	const before = `"messageId":"`
	text := string(payload)
	for at := 0; ; {
		i := strings.Index(text[at:], before)
		if i < 0 {
			return
		}
		at += i + len(before)
		copy(payload[at:], block)
	}
}

// The cost of reading a payload of the largest size next to that of
// encoding/json: 6 MB in 10,000 messages, and in 10.
func BenchmarkReadSQS(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		payload := largePayload(b, n, 5_000_000/n-480)
		b.Run(fmt.Sprint("encoding/json/", n), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				var e events.SQSEvent
				if err := json.Unmarshal(payload, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("lambdasource/", n), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if n := lambdasource.Read(payload); n == 0 {
					b.Fatal("nothing read")
				}
			}
		})
	}
}
