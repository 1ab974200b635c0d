package main

import "time"

func demoCommand() command {
	return command{
		name:    "demo",
		summary: "see for yourself, in a few seconds, on this machine alone",
		text: "Sends orders through an SQS queue and a worker on this machine: the queue, and Lambda's\n" +
			"side of a function, run in this process; the worker is this program again, started as a\n" +
			"process of its own, as a Lambda function or as a poller. On the way orders are sent and\n" +
			"delivered twice, calls fail, answers are lost, and the worker is killed with SIGKILL in\n" +
			"the middle of its work. A ledger, the next system, applies each Idempotency-Key once and\n" +
			"counts what was applied per order.\n" +
			"\n" +
			"Exit code 1 when an order was lost or doubled. With --json the last line of stdout is,\n" +
			"also when the demo was interrupted,\n" +
			"  messages            orders that were sent, each counted once\n" +
			"  deliveries          messages that were handed to the worker, repeated ones included\n" +
			"  effects             effects that the ledger applied\n" +
			"  duplicates_skipped  deliveries that the worker acknowledged without running the handler\n" +
			"  failures            runs of the handler that failed\n" +
			"  lost                orders without an effect\n" +
			"  doubled             orders with more than one effect\n" +
			"  seconds             from the first message to the empty queue",
		flags: func(fs *flagSet, s *settings) {
			define(fs, "messages", &s.messages, parseCount, "1000", "send `N` orders")
			define(fs, "duplicates", &s.duplicates, parseShare, "0.1",
				"the `SHARE` of orders that the producer sends twice; the queue delivers half as many\nmessages twice, and a tenth as many again after they were deleted")
			define(fs, "failures", &s.failures, parseShare, "0.05",
				"the `SHARE` of orders whose first call the ledger answers with 500; it cuts the connection\nafter half as many effects, and the answers of as many batches are lost")
			define(fs, "seed", &s.seed, parseSeed, "1", "the `NUMBER` that decides which orders they are")
			define(fs, "via", &s.via, parseVia, viaLambda, "how messages reach the worker: `WAY` lambda, as a function, or poll, as a poller")
			fs.toggle("json", &s.json, "print the result as one JSON object, and all else to stderr")
			define(fs, "store", &s.store, parseStore, "", "where finished work is remembered, one `STORE` of\n"+stores+"; unset: bolt in a temporary folder")
			define(fs, "consumer", &s.consumer, parseName, program, consumerUsage)
			define(fs, "key", &s.key, parseKey, orderKey, keyUsage+";\ntry id to see the orders doubled that the producer sends twice")
			define(fs, "lease", &s.lease, parseLease, "1.5s", leaseUsage)
			define(fs, "retain", &s.retain, parseDuration, "336h", retainUsage)
			define(fs, "concurrency", &s.concurrency, parseCount, "20", "run `N` handlers at once")
			define(fs, "log-level", &s.logLevel, parseLevel, "warn", levelUsage+"; the failures\nthat the demo makes itself are told from info down")
		},
		foreign: map[string]string{
			"source":     "the demo brings its own source, an SQS queue",
			"replay":     "the demo brings its own source, an SQS queue without replays",
			"effect-url": "the demo brings its own next system, the ledger",
		},
		check: func(settings) error { return nil },
		run:   runDemo,
	}
}

// orderKey is where an order has its number.
const orderKey = "/order_id"

func parseVia(text string) (string, error) {
	if text == viaLambda || text == viaPoll {
		return text, nil
	}
	return "", usageError("want lambda or poll")
}

// The demo's queue and function. Retries come quickly, so that it ends soon;
// SQS counts visibility in whole seconds.
const (
	demoQueue       = "orders"
	demoDeadLetters = "orders-dead"
	demoVisibility  = "2" // seconds
	demoTimeout     = 2 * time.Second
	demoInvocations = 4 // at once
	demoBatch       = 10
)
