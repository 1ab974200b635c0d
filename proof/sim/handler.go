package sim

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/batch"
	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

var errPlanned = errors.New("sim: it fails as planned")

const quick = 5 * time.Millisecond

// handler returns the handler of a process: what a user would write, and a
// bad one.
func (w *world) handler(p *process) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, rec *consumer.Record) error {
		key, message := parseBody(string(rec.Body))
		claim, ok := dedupe.FromContext(ctx)
		if !ok {
			w.ledger.strange("a handler without a claim")
		}
		cutoff := time.Duration(0)
		if at, ok := ctx.Deadline(); ok && w.plan.Hosts[p.host].Lambda {
			cutoff = at.Sub(w.ledger.began)
		}
		r, nth := w.ledger.start(p, key, message, claim.Fence, cutoff)
		if r == nil {
			return errDead
		}
		spoiled := false
		defer func() { w.ledger.end(r, spoiled) }()
		k := w.plan.Keys[key]
		takes := quick
		if nth < k.Slow {
			takes = ms(k.Takes)
		}
		err := p.busy(ctx, takes, k.Ignores)
		if late, ok := ctx.Value(deadlineKey{}).(*deadline); ok && errors.Is(context.Cause(ctx), batch.ErrDeadline) {
			late.pass()
		}
		if err != nil {
			return err
		}
		if k.Never {
			return consumer.Permanent(errPlanned)
		}
		if nth < k.Fails {
			return k.How.fail()
		}
		if err := w.effect(ctx, p, r); err != nil {
			return err
		}
		if nth < k.Fails+k.Spoils {
			spoiled = true
			return k.How.fail()
		}
		return nil
	})
}

// busy passes time.
func (p *process) busy(ctx context.Context, d time.Duration, ignores bool) error {
	t := time.NewTimer(d)
	defer t.Stop()
	ends := ctx.Done()
	if ignores {
		ends = nil
	}
	select {
	case <-t.C:
		return nil
	case <-ends:
		return context.Cause(ctx)
	case <-p.life.Done():
		return errDead
	}
}

// effect makes the effect of a run.
func (w *world) effect(ctx context.Context, p *process, r *run) error {
	nth := w.count(p.host, BeforeEffect)
	w.killAt(p, BeforeEffect, nth)
	if w.plan.Mode == Tx {
		err := p.store.CompleteTx(ctx, w.write(r.key))
		if err == nil {
			w.ledger.effect(r)
		}
		w.cutOff(p, nth)
		w.killAt(p, AfterEffect, nth)
		return err
	}
	if !w.ledger.effect(r) {
		return errDead
	}
	w.cutOff(p, nth)
	w.killAt(p, AfterEffect, nth)
	return nil
}

// write is the effect of a key as a write: it counts how often it was made.
func (w *world) write(key int) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName:                 aws.String(effects),
		Key:                       item{"pk": &types.AttributeValueMemberS{Value: keyName(key)}},
		UpdateExpression:          aws.String("ADD n :one"),
		ExpressionAttributeValues: item{":one": &types.AttributeValueMemberN{Value: "1"}},
	}}
}

// fail ends a run badly.
func (h How) fail() error {
	switch h {
	case Panics:
		panic(errPlanned)
	case Exits:
		runtime.Goexit()
	case Retries:
		return consumer.RetryAfter(time.Second, errPlanned)
	case Errs:
	}
	return errPlanned
}
