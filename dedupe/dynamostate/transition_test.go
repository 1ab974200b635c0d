package dynamostate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamostate"
	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// bed is a table of orders.
type bed struct {
	*testing.T
	client *dynamodb.Client
	orders string
}

// inBed runs f in a bubble with a server of its own.
func inBed(t *testing.T, f func(b *bed, server *ddbtest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := ddbtest.New(ddbtest.Options{})
		f(newBed(t, server.Client(), "orders"), server)
	})
}

func newBed(t *testing.T, client *dynamodb.Client, orders string) *bed {
	t.Helper()
	if err := dynamodedupe.CreateTable(t.Context(), client, orders); err != nil {
		t.Fatal(err)
	}
	return &bed{t, client, orders}
}

func (b *bed) item(id string) dynamostate.Item {
	return dynamostate.Item{Table: b.orders, Key: map[string]types.AttributeValue{"pk": text(id)}}
}

// put puts an order with these attributes.
func (b *bed) put(id string, attrs map[string]types.AttributeValue) {
	b.Helper()
	item := maps.Clone(b.item(id).Key)
	maps.Copy(item, attrs)
	if _, err := b.client.PutItem(b.Context(), &dynamodb.PutItemInput{TableName: &b.orders, Item: item}); err != nil {
		b.Fatal(err)
	}
}

// get returns the attributes of an order as text, without its key.
func (b *bed) get(id string) map[string]string {
	b.Helper()
	out, err := b.client.GetItem(b.Context(), &dynamodb.GetItemInput{TableName: &b.orders, Key: b.item(id).Key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		b.Fatal(err)
	}
	return plain(out.Item)
}

func (b *bed) wantItem(id string, want map[string]string) {
	b.Helper()
	if got := b.get(id); !maps.Equal(got, want) {
		b.Errorf("order %s is %v, want %v", id, got, want)
	}
}

// transition makes c, which must have this outcome and return the item so.
func (b *bed) transition(id string, c dynamostate.Change, want dynamostate.Outcome, item map[string]string) {
	b.Helper()
	r, err := dynamostate.Transition(b.Context(), b.client, b.item(id), c)
	at := item["state"]
	if c.Attribute != "" {
		at = item[c.Attribute]
	}
	if err != nil || r.Outcome != want || r.State != at || !maps.Equal(plain(r.Item), item) {
		b.Errorf("order %s to %s: got %v, %q, %v, %v, want %v with %v", id, c.To, r.Outcome, r.State, plain(r.Item), err, want, item)
	}
}

// refused makes c, which must fail with this state and text.
func (b *bed) refused(id string, c dynamostate.Change, state, says string) {
	b.Helper()
	before := b.get(id)
	r, err := dynamostate.Transition(b.Context(), b.client, b.item(id), c)
	e, ok := errors.AsType[*dynamostate.StateError](err)
	if !ok || !errors.Is(err, dynamostate.ErrState) || e.State != state || !strings.HasSuffix(err.Error(), says) || r.Outcome != 0 {
		b.Errorf("order %s to %s: got %v, %v, want a StateError with state %q that says %q", id, c.To, r.Outcome, err, state, says)
		return
	}
	if !maps.Equal(plain(e.Item), before) {
		b.Errorf("order %s to %s: the error has the item %v, want %v", id, c.To, plain(e.Item), before)
	}
	b.wantItem(id, before)
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int) types.AttributeValue  { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
func state(s string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"state": text(s)}
}

// plain returns an item as text, without its key.
func plain(item map[string]types.AttributeValue) map[string]string {
	out := map[string]string{}
	for name, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			out[name] = v.Value
		case *types.AttributeValueMemberN:
			out[name] = v.Value
		}
	}
	delete(out, "pk")
	return out
}

var (
	start  = dynamostate.Change{From: []string{"PENDING"}, To: "PROCESSING"}
	finish = dynamostate.Change{From: []string{"PROCESSING"}, To: "COMPLETED"}
)

// counted also counts how often the change was made.
func counted(c dynamostate.Change) dynamostate.Change {
	c.Set = "#n = if_not_exists(#n, :zero) + :one"
	c.Names = map[string]string{"#n": "to" + c.To}
	c.Values = map[string]types.AttributeValue{":zero": number(0), ":one": number(1)}
	return c
}

// anyTransition: a transition is made once, a repeated one is a no-op, and one
// from another state is a typed error; none of the latter writes anything.
func anyTransition(b *bed) {
	b.Helper()
	b.put("1", state("PENDING"))
	b.refused("1", finish, "PENDING", `from "PROCESSING" to "COMPLETED": the item is "PENDING"`)
	b.transition("1", counted(start), dynamostate.Changed, map[string]string{"state": "PROCESSING", "toPROCESSING": "1"})
	b.transition("1", counted(start), dynamostate.Already, map[string]string{"state": "PROCESSING", "toPROCESSING": "1"})
	b.transition("1", counted(finish), dynamostate.Changed, map[string]string{"state": "COMPLETED", "toPROCESSING": "1", "toCOMPLETED": "1"})
	b.transition("1", counted(finish), dynamostate.Already, map[string]string{"state": "COMPLETED", "toPROCESSING": "1", "toCOMPLETED": "1"})
	b.refused("1", start, "COMPLETED", `the item is "COMPLETED"`)

	redelivered := counted(start)
	redelivered.Past = []string{"COMPLETED", "ARCHIVED"}
	b.transition("1", redelivered, dynamostate.Already, map[string]string{"state": "COMPLETED", "toPROCESSING": "1", "toCOMPLETED": "1"})

	cancel := dynamostate.Change{From: []string{"PENDING", "PROCESSING"}, To: "CANCELLED"}
	b.refused("1", cancel, "COMPLETED", `from "PENDING" "PROCESSING" to "CANCELLED": the item is "COMPLETED"`)
	for _, from := range cancel.From {
		b.put("2", state(from))
		b.transition("2", cancel, dynamostate.Changed, map[string]string{"state": "CANCELLED"})
	}
}

// A transition happens once, whatever is asked for again.
func TestTransition(t *testing.T) {
	inBed(t, func(b *bed, _ *ddbtest.Server) { anyTransition(b) })
}

// An item without a state, and none at all, are left alone, unless the
// transition is from Absent: then the first call makes the state.
func TestAbsent(t *testing.T) {
	inBed(t, func(b *bed, _ *ddbtest.Server) {
		b.refused("none", start, "", "there is no item")
		b.put("bare", map[string]types.AttributeValue{"price": number(7)})
		b.refused("bare", start, "", "the item has no state")
		b.put("odd", map[string]types.AttributeValue{"state": number(1)})
		b.refused("odd", start, "", "the item has no state")

		create := dynamostate.Change{From: []string{dynamostate.Absent}, To: "PENDING", Past: []string{"PROCESSING"}}
		b.refused("odd", create, "", "the item has no state")
		b.transition("none", create, dynamostate.Changed, map[string]string{"state": "PENDING"})
		b.transition("none", create, dynamostate.Already, map[string]string{"state": "PENDING"})
		b.transition("bare", create, dynamostate.Changed, map[string]string{"state": "PENDING", "price": "7"})
		b.transition("bare", start, dynamostate.Changed, map[string]string{"state": "PROCESSING", "price": "7"})
		b.transition("bare", create, dynamostate.Already, map[string]string{"state": "PROCESSING", "price": "7"})

		either := dynamostate.Change{From: []string{"PENDING", dynamostate.Absent}, To: "PROCESSING"}
		b.transition("new", either, dynamostate.Changed, map[string]string{"state": "PROCESSING"})
		b.transition("none", either, dynamostate.Changed, map[string]string{"state": "PROCESSING"})
	})
}

// The state can be in any attribute, one with a reserved name too.
func TestAttribute(t *testing.T) {
	inBed(t, func(b *bed, _ *ddbtest.Server) {
		b.put("1", map[string]types.AttributeValue{"status": text("PENDING"), "state": text("Bavaria")})
		c := counted(start)
		c.Attribute = "status"
		want := map[string]string{"status": "PROCESSING", "state": "Bavaria", "toPROCESSING": "1"}
		b.transition("1", c, dynamostate.Changed, want)
		b.transition("1", c, dynamostate.Already, want)
	})
}

// When the response is lost the SDK's retry finds the change made: no error,
// and it was made once. When all are lost the error says nothing, and the call
// may be repeated.
func TestLostResponse(t *testing.T) {
	inBed(t, func(b *bed, server *ddbtest.Server) {
		b.put("1", state("PENDING"))
		server.Fault(func(r ddbtest.Request) ddbtest.Action { return ddbtest.Action{DropResponse: r.Attempt == 1} })
		want := map[string]string{"state": "PROCESSING", "toPROCESSING": "1"}
		b.transition("1", counted(start), dynamostate.Already, want)

		b.put("2", state("PENDING"))
		server.Fault(func(ddbtest.Request) ddbtest.Action { return ddbtest.Action{DropResponse: true} })
		r, err := dynamostate.Transition(b.Context(), b.client, b.item("2"), counted(start))
		if err == nil || errors.Is(err, dynamostate.ErrState) || r.Outcome != 0 {
			b.Errorf("with every response lost: got %v, %v, want an error that is no StateError", r.Outcome, err)
		}
		server.Fault(nil)
		b.transition("2", counted(start), dynamostate.Already, want)
		b.wantItem("2", want)
	})
}

// A copy of a request that arrives after the item has gone on changes nothing.
func TestLateCopy(t *testing.T) {
	inBed(t, func(b *bed, server *ddbtest.Server) {
		b.put("1", state("PENDING"))
		first := true
		server.Fault(func(ddbtest.Request) ddbtest.Action {
			late := first
			first = false
			return ddbtest.Action{Delay: map[bool]time.Duration{true: time.Hour}[late]}
		})
		late := make(chan error)
		go func() {
			_, err := dynamostate.Transition(context.WithoutCancel(b.Context()), b.client, b.item("1"), counted(start))
			late <- err
		}()
		synctest.Wait()
		b.transition("1", counted(start), dynamostate.Changed, map[string]string{"state": "PROCESSING", "toPROCESSING": "1"})
		want := map[string]string{"state": "COMPLETED", "toPROCESSING": "1", "toCOMPLETED": "1"}
		b.transition("1", counted(finish), dynamostate.Changed, want)
		if err := <-late; !errors.Is(err, dynamostate.ErrState) {
			b.Errorf("the late copy: got %v, want ErrState", err)
		}
		b.wantItem("1", want)
	})
}

// Of any number of workers one changes the item.
func TestRace(t *testing.T) {
	inBed(t, func(b *bed, server *ddbtest.Server) {
		b.put("1", state("PENDING"))
		server.Fault(func(ddbtest.Request) ddbtest.Action { return ddbtest.Action{Delay: time.Second} })
		outcomes := make(chan dynamostate.Outcome)
		for range 20 {
			go func() {
				r, err := dynamostate.Transition(context.WithoutCancel(b.Context()), b.client, b.item("1"), counted(start))
				if err != nil {
					b.Error(err)
				}
				outcomes <- r.Outcome
			}()
		}
		got := map[dynamostate.Outcome]int{}
		for range 20 {
			got[<-outcomes]++
		}
		if want := map[dynamostate.Outcome]int{dynamostate.Changed: 1, dynamostate.Already: 19}; !maps.Equal(got, want) {
			b.Errorf("got %v, want %v", got, want)
		}
		b.wantItem("1", map[string]string{"state": "PROCESSING", "toPROCESSING": "1"})
	})
}

// Whatever requests and responses are lost, workers that repeat what failed
// bring each order to its end, with each transition made once.
func TestAnyLoss(t *testing.T) {
	for seed := range uint64(20) {
		inBed(t, func(b *bed, server *ddbtest.Server) {
			var mu sync.Mutex
			luck := rand.New(rand.NewPCG(seed, 7))
			b.put("1", state("PENDING"))
			server.Fault(func(ddbtest.Request) ddbtest.Action {
				mu.Lock()
				defer mu.Unlock()
				return ddbtest.Action{
					Delay:       time.Duration(luck.IntN(1000)) * time.Millisecond,
					DropRequest: luck.IntN(3) == 0, DropResponse: luck.IntN(3) == 0,
				}
			})
			begin := counted(start)
			begin.Past = []string{"COMPLETED"}
			var workers sync.WaitGroup
			for range 5 {
				workers.Go(func() {
					for _, c := range []dynamostate.Change{begin, counted(finish)} {
						for {
							_, err := dynamostate.Transition(b.Context(), b.client, b.item("1"), c)
							if err == nil {
								break
							}
							if errors.Is(err, dynamostate.ErrState) {
								b.Errorf("seed %d: %v", seed, err)
								return
							}
						}
					}
				})
			}
			workers.Wait()
			server.Fault(nil)
			b.wantItem("1", map[string]string{"state": "COMPLETED", "toPROCESSING": "1", "toCOMPLETED": "1"})
		})
	}
}

// A transition takes one request and one write, made or not, and sends no
// attribute that nobody asked for.
func TestCost(t *testing.T) {
	inBed(t, func(b *bed, server *ddbtest.Server) {
		b.put("1", state("PENDING"))
		for range 2 {
			server.Reset()
			if _, err := dynamostate.Transition(b.Context(), b.client, b.item("1"), start); err != nil {
				b.Error(err)
			}
			if got, n := server.Used(), len(server.Requests()); got != (ddbtest.Units{Write: 1}) || n != 1 {
				b.Errorf("used %+v in %d requests, want one write in one", got, n)
			}
		}
	})
}

// A caller's context ends the request, and errors of DynamoDB are passed on.
func TestErrors(t *testing.T) {
	inBed(t, func(b *bed, server *ddbtest.Server) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		server.Fault(func(ddbtest.Request) ddbtest.Action { return ddbtest.Action{Delay: time.Minute} })
		if _, err := dynamostate.Transition(ctx, b.client, b.item("1"), start); !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("got %v, want that the context has ended", err)
		}
		server.Fault(nil)
		_, err := dynamostate.Transition(b.Context(), b.client, dynamostate.Item{Table: "nowhere", Key: b.item("1").Key}, start)
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok || !strings.Contains(err.Error(), "nowhere") {
			b.Errorf("got %v, want one that names the table", err)
		}
	})
}

// Mistakes of the program panic, with the name of the package.
func TestPanics(t *testing.T) {
	item := dynamostate.Item{Table: "orders", Key: state("1")}
	for name, f := range map[string]func(){
		"no table":   func() { start.Write(dynamostate.Item{Key: item.Key}) },
		"no key":     func() { start.Write(dynamostate.Item{Table: "orders"}) },
		"no From":    func() { dynamostate.Change{To: "PENDING"}.Write(item) },
		"no To":      func() { dynamostate.Change{From: []string{"PENDING"}}.Write(item) },
		"To in From": func() { dynamostate.Change{From: []string{"A", "B"}, To: "B"}.Write(item) },
		"Past, From": func() { dynamostate.Change{From: []string{"A"}, To: "B", Past: []string{"A"}}.Write(item) },
		"taken name": func() {
			dynamostate.Change{From: []string{"A"}, To: "B", Names: map[string]string{"#once_state": "x"}}.Write(item)
		},
		"taken value": func() {
			dynamostate.Change{From: []string{"A"}, To: "B", Values: map[string]types.AttributeValue{":once_to": text("x")}}.Write(item)
		},
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "dynamostate: ") {
					t.Errorf("%s: panic %q, want one of this package", name, p)
				}
			}()
			f()
		}()
	}
}

// What a change adds stays the caller's: maps are not written to, and a change
// can be used again.
func TestChangeUnchanged(t *testing.T) {
	c := counted(start)
	names, values := maps.Clone(c.Names), slices.Sorted(maps.Keys(c.Values))
	c.Write(dynamostate.Item{Table: "orders", Key: state("1")})
	if !maps.Equal(c.Names, names) || !slices.Equal(slices.Sorted(maps.Keys(c.Values)), values) {
		t.Errorf("got %v and %v, want %v and %v", c.Names, c.Values, names, values)
	}
}
