package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
	"github.com/onlyonce-go/onlyonce/sources/sqstest"
)

const (
	table   = "dedupe"
	effects = "effects"
)

// world is one play.
type world struct {
	plan   Plan
	sqs    *sqstest.Server
	ddb    *ddbtest.Server
	gate   *gate
	hand   hand
	ledger *ledger
	client *sqs.Client // the world's own, as are the producers

	queue, dead string // names
	url         string
	deadURL     string
	given       map[int]bool // keys of dead letters that were taken out
	history     *witness     // nil when none is kept

	trace func(string) // nil unless SIM_TRACE is set

	all sync.WaitGroup // everything that was started

	mu        sync.Mutex
	processes map[int]int        // how many there were, by host
	alive     map[int][]*process // by host
	counts    map[counted]int
	faulted   map[countedOp]int
	sent      map[string]int    // messages by id
	laid      map[int]time.Time // when a poller moved messages to the dead-letter queue
	calm      bool
}

type counted struct {
	host int
	at   Point
}

type countedOp struct {
	side Side
	op   string
}

func newWorld(p Plan) *world {
	w := &world{
		plan: p, ledger: newLedger(), gate: newGate(p.Seed), queue: "work", dead: "dead",
		processes: map[int]int{}, alive: map[int][]*process{}, counts: map[counted]int{}, faulted: map[countedOp]int{},
		sent: map[string]int{}, laid: map[int]time.Time{}, given: map[int]bool{},
	}
	w.sqs = sqstest.New(sqstest.Options{
		Seed: p.Seed, Duplicate: float64(p.Duplicate) / 100, Redeliver: float64(p.Redeliver) / 100,
		EmptyReceive: float64(p.EmptyReceive) / 100, Reorder: p.Reorder, IgnoreStaleDelete: p.StaleDelete,
		LateExtend: p.LateExtend, HistorySize: 1 << 20,
	})
	w.ddb = ddbtest.New(ddbtest.Options{NoOldItem: p.NoOldItem})
	w.sqs.Fault(w.sqsFault)
	w.ddb.Fault(func(ddbtest.Request) ddbtest.Action { return w.hand.take().fault.ddbAction() })
	w.client = w.sqs.Client(func(o *sqs.Options) { o.HTTPClient = direct{w, w.sqs.HTTPClient()} })
	if p.Ordered {
		w.queue, w.dead = "work.fifo", "dead.fifo"
	}
	w.deadURL = w.sqs.CreateQueue(w.dead, nil)
	policy, _ := json.Marshal(map[string]any{"deadLetterTargetArn": w.sqs.ARN(w.dead), "maxReceiveCount": p.Receives})
	w.url = w.sqs.CreateQueue(w.queue, map[string]string{
		"VisibilityTimeout": strconv.Itoa(p.Visibility), "RedrivePolicy": string(policy),
	})
	own := w.ddb.Client(func(o *dynamodb.Options) { o.HTTPClient = direct{w, w.ddb.HTTPClient()} })
	for _, name := range []string{table, effects} {
		if err := dynamodedupe.CreateTable(context.Background(), own, name); err != nil {
			panic("sim: " + err.Error())
		}
	}
	w.history = historyOf(p)
	return w
}

// historyOf returns a history when one says something: completions in
// transactions are not in it, and clocks that differ are not its to know.
func historyOf(p Plan) *witness {
	if p.Mode == Tx {
		return nil
	}
	for _, h := range p.Hosts {
		if h.Offset != 0 {
			return nil
		}
	}
	return newWitness()
}

func (w *world) sqsFault(op string, req sqstest.Request) sqstest.Action {
	one := w.hand.take()
	a := one.fault.sqsAction()
	if op != "SendMessage" || req.Queue != w.dead || a.DropRequest || a.Err != nil {
		return a
	}
	lay := func() { w.lay(req.Entries) }
	if a.Delay > 0 { // its sender may leave, and take it along
		one.answered = lay
	} else {
		lay()
	}
	return a
}

// lay notes that messages are in the dead-letter queue from now on.
func (w *world) lay(entries []sqstest.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range entries {
		_, message := parseBody(e.Body)
		if _, ok := w.laid[message]; !ok {
			w.laid[message] = time.Now()
		}
	}
}

// wasLaid reports whether a message was moved to the dead-letter queue by then.
func (w *world) wasLaid(message int, by time.Time) bool {
	at, ok := w.laid[message]
	return ok && !at.After(by)
}

// faultOf counts a request and returns what goes wrong with it, if anything.
func (w *world) faultOf(side Side, op string) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return Fault{}
	}
	any, one := countedOp{side, ""}, countedOp{side, op}
	w.faulted[any]++
	w.faulted[one]++
	now := int(w.ledger.since().Milliseconds())
	for _, f := range w.plan.Faults {
		if f.Side != side || f.Op != "" && f.Op != op {
			continue
		}
		nth := w.faulted[countedOp{side, f.Op}] - 1
		switch {
		case f.For > 0 && now >= f.From && now < f.From+f.For:
			return f
		case f.For == 0 && nth >= f.Nth && nth < f.Nth+f.Span:
			return f
		}
	}
	return Fault{}
}

// count counts that a host came to a point.
func (w *world) count(host int, at Point) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.counts[counted{host, at}]
	w.counts[counted{host, at}]++
	return n
}

// killAt kills p when the plan says so.
func (w *world) killAt(p *process, at Point, nth int) {
	for _, k := range w.plan.Kills {
		if k.Host == p.host && k.At == at && k.Nth == nth && !w.isCalm() {
			p.kill()
		}
	}
}

// cutOff cuts p off from the store when the plan says so.
func (w *world) cutOff(p *process, nth int) {
	for _, c := range w.plan.Cuts {
		if c.Host == p.host && c.Nth == nth && !w.isCalm() {
			p.cutUntil.Store(time.Now().Add(ms(c.For)).UnixMilli())
		}
	}
}

func (w *world) isCalm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calm
}

func (w *world) born(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive[p.host] = append(w.alive[p.host], p)
}

// send sends a message of a key's work.
func (w *world) send(message, key int) {
	body := fmt.Sprintf(`{"id":%q,"message":%d}`, keyName(key), message)
	in := &sqs.SendMessageInput{QueueUrl: &w.url, MessageBody: &body}
	if w.plan.Ordered {
		group, id := strconv.Itoa(w.plan.Keys[key].Group), strconv.Itoa(w.ledger.stats.Messages)
		in.MessageGroupId, in.MessageDeduplicationId = &group, &id
	}
	out, err := w.client.SendMessage(context.Background(), in)
	if err != nil {
		panic("sim: send: " + err.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[*out.MessageId] = message
	w.ledger.stats.Messages++
}

func keyName(key int) string { return fmt.Sprintf("key-%03d", key) }

// keyOf returns the number of the key that ends so, -1 when it is none.
func (w *world) keyOf(claimed string) int {
	if i := strings.LastIndex(claimed, "key-"); i >= 0 && len(claimed) >= i+7 {
		if n, err := strconv.Atoi(claimed[i+4 : i+7]); err == nil {
			return n
		}
	}
	return -1
}

func parseBody(body string) (key, message int) {
	var b struct {
		ID      string `json:"id"`
		Message int    `json:"message"`
	}
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		panic("sim: body: " + err.Error())
	}
	key, err := strconv.Atoi(strings.TrimPrefix(b.ID, "key-"))
	if err != nil {
		panic("sim: body: " + err.Error())
	}
	return key, b.Message
}

// until lets time pass until ok, a second at a time, and reports whether that
// was within most.
func (w *world) until(most time.Duration, ok func() bool) bool {
	for end := time.Now().Add(most); !ok(); pass(time.Second) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
