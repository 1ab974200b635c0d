package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// A mistake of the caller ends with exit code 2 and one line on stderr that
// names the mistake and what to do.
func TestMistakes(t *testing.T) {
	locked := filepath.Join(t.TempDir(), "store.db")
	store, err := boltdedupe.Open(locked, boltdedupe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	damaged := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(damaged, []byte("no store"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	inLambda := map[string]string{runtimeAPI: "127.0.0.1:1"}
	for _, c := range []struct {
		args string
		env  map[string]string
		want string // parts of the line, joined by ...
	}{
		{args: "poll", want: "--queue-url (or $QUEUE_URL) is missing"},
		{args: "poll --queue-url http://localhost/q", want: "--store (or $STORE) is missing...memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "poll --queue-url orders --store memory:", want: "want the URL of a queue, such as https://sqs."},
		{args: "poll --queue-url arn:aws:sqs:eu-west-1:111122223333:orders --store memory:", want: "want the URL of a queue"},
		{args: "poll --queue-url https://sqs.eu-west-1.amazonaws.com/ --store memory:", want: "want the URL of a queue"},
		{args: "poll --queue-url http://localhost/q --store memory: --source eventbridge", want: "cannot be polled; want one of sqs, sqs+eventbridge"},
		{args: "poll --queue-url http://localhost/q --store memory: --replay reprocess", want: "--source sqs has no replay name"},
		{args: "poll --queue-url http://localhost/q --store memory: --health-listen 8081", want: "want an address such as"},
		{args: "poll --queue-url http://localhost/q --store memory:", want: "no AWS region: set AWS_REGION"},
		{args: "poll --queue-url http://localhost/q --store memory: --source apigateway", want: "cannot be polled; want one of sqs, sqs+eventbridge"},
		{args: "http --listen 127.0.0.1:0", want: "--store (or $STORE) is missing...memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "http --store memory: --listen 8080", want: "want an address such as"},
		{args: "http --store memory: --listen 127.0.0.1:999999", want: "--listen 127.0.0.1:999999...name another address"},
		{args: "http --store memory: --source sqs", want: "--source is no flag of http...lambda --source apigateway"},
		{args: "http --store memory: --key /order_id", want: "--key is no flag of http...the request's header Idempotency-Key"},
		{args: "http --store memory: --replay dedupe", want: "--replay is no flag of http"},
		{args: "serve", want: `unknown command "serve"...demo, lambda, poll, http`},
		{args: "lambda --store memory: --source apigateway --key /order_id", want: "--key /order_id is not for --source apigateway...the request's header Idempotency-Key"},
		{args: "lambda --store memory: --source apigateway --replay reprocess", want: "--source apigateway has no replay name"},
		{args: "lambda", env: inLambda, want: "--store (or $STORE) is missing...memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "", env: inLambda, want: "lambda: --store (or $STORE) is missing"},
		{args: "lambda --store memory:", want: "AWS_LAMBDA_RUNTIME_API is not set...demo"},
		{args: "lambda --store dynamodb:", want: "want one of memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "demo --store dynamodb:orders", want: "leave --store away"},
		{args: "lambda --store redis://localhost", want: "not in this build yet; available: memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "lambda --store postgres://localhost/x", want: "not in this build yet; available: memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "lambda --store bolt:", want: "want one of memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "lambda --store file", want: "want one of memory:, bolt:PATH, dynamodb:TABLE"},
		{args: "lambda", env: map[string]string{"STORE": "nosql:x"}, want: `invalid value "nosql:x" for variable STORE: want one of memory:, bolt:PATH`},
		{args: "lambda --store memory: --source SQS", want: "want one of sqs, eventbridge, sqs+eventbridge"},
		{args: "lambda --store memory: --replay reprocess", want: "--replay reprocess needs a source with an EventBridge envelope...--source sqs has no replay name"},
		{args: "lambda --store memory: --replay reprocess --source eventbus", want: "one of eventbridge, sqs+eventbridge, sqs+sns+eventbridge, pipes+eventbridge:...--source eventbus has no replay name"},
		{args: "lambda --store memory: --replay twice", want: "want dedupe or reprocess"},
		{args: "lambda --store memory: --key order_id", want: `want "id" or JSON Pointers`},
		{args: "lambda --store memory: --key /a,/a", want: `"/a" is given twice...JSON Pointers`},
		{args: "lambda --store memory: --key /a~2", want: `is not a JSON Pointer`},
		{args: "lambda --store memory: --lease 5", want: "want a duration such as 30s"},
		{args: "http --store memory: --listen 127.0.0.1:0 --lease 5ms", want: "want 10ms or longer"},
		{args: "lambda --store memory: --retain -1h", want: "want a duration such as 30s"},
		{args: "lambda --store memory: --concurrency 0", want: "want a number from 1"},
		{args: "lambda --store memory: --effect-url localhost:80", want: "want a URL such as http://"},
		{args: "lambda --store memory: --log-level loud", want: "want debug, info, warn or error"},
		{args: "lambda --store memory: --colour", want: "flag provided but not defined: --colour"},
		{args: "lambda --store", want: "flag needs an argument: --store"},
		{args: "lambda --store memory: now", want: `unexpected argument "now"`},
		{args: "lambda --store bolt:" + locked, env: inLambda, want: "store file " + locked + " is open in another process: stop"},
		{args: "lambda --store bolt:/nowhere/at/all.db", env: inLambda, want: "/nowhere/at/all.db...name another file"},
		{args: "lambda --store bolt:" + damaged, env: inLambda, want: damaged + "...put the store's file there...redelivered messages run again"},
		{args: "demo --store bolt:" + locked, want: "store file " + locked + " is open in another process: stop"},

		{args: "demo --via pigeon", want: "want lambda or poll"},
		{args: "demo --messages none", want: "want a number from 1"},
		{args: "demo --duplicates NaN", want: "want a share from 0 to 1"},
		{args: "demo --failures 1.5", want: "want a share from 0 to 1"},
		{args: "demo --seed -1", want: "want a whole number from 0"},
		{args: "demo --json=yes", want: `"yes" for --json: want true or false`},
		{args: "demo", env: map[string]string{"JSON": "yes"}, want: `"yes" for variable JSON: want true or false`},
		{args: "demo --source sqs", want: "--source is no flag of demo...brings its own source"},
		{args: "demo --replay=dedupe", want: "--replay is no flag of demo...brings its own source"},
		{args: "--effect-url http://localhost/", want: "--effect-url is no flag of demo...brings its own next system"},
		{args: "duplicates --queue-url http://localhost/1/orders.fifo", want: "is a FIFO queue...name a standard queue"},
		{args: "duplicates --queue-url http://localhost/1/orders", want: "no AWS region: set AWS_REGION"},
		{args: "duplicates --duplicates 2", want: "want a share from 0 to 1"},
		{args: "duplicates --store memory:", want: "--store is no flag of duplicates"},
		{args: "--messages -3", want: "demo: invalid value"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := runWith(t, c.env, strings.Fields(c.args)...)
			if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "example-worker") {
				t.Errorf("got code %d, stdout %q, stderr %q, want code 2 and one line on stderr", code, stdout, stderr)
			}
			rest := stderr
			for part := range strings.SplitSeq(c.want, "...") {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("got %q, want %q", stderr, c.want)
				}
				rest = after
			}
		})
	}
}

// Help goes to stdout with exit code 0 and names every flag with its variable
// and its default.
func TestHelp(t *testing.T) {
	for _, args := range []string{"help", "-h", "--help", "lambda -h", "lambda --help", "demo --help", "--json --help"} {
		code, stdout, stderr := runWith(t, nil, strings.Fields(args)...)
		if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "Usage: example-worker") {
			t.Errorf("%s: got code %d, stderr %q, stdout %.40q", args, code, stderr, stdout)
		}
		for _, c := range commands() {
			if strings.Contains(args, "h") && !strings.HasPrefix(args, c.name) && strings.Contains(args, " ") {
				continue // the help of the other command
			}
			fs := newFlagSet(c.name)
			c.flags(fs, new(settings))
			fs.VisitAll(func(f *flag.Flag) {
				if !strings.Contains(stdout, "--"+f.Name) || !strings.Contains(stdout, "$"+variable(f.Name)) || f.DefValue != "false" && !strings.Contains(stdout, f.DefValue) {
					t.Errorf("%s: help does not tell all about --%s", args, f.Name)
				}
			})
		}
	}
}
