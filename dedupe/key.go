package dedupe

import (
	"errors"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Key is the idempotency key of one piece of work as stores see it: version,
// consumer and the typed parts that a [KeyFunc] wrote, in printable ASCII
// without spaces and at most 1024 bytes, so that it can be a partition key
// and the value of an HTTP header as it is. Equal keys are the same work;
// there is no other meaning in it.
//
// Two lists of parts never give the same key: each part carries its type and
// its length, and what is long or not printable stands there as a SHA-256
// under a type of its own.
type Key string

// maxKey is half of what DynamoDB takes as a partition key (2048 bytes): a
// store may put a prefix of its own before it.
const maxKey = 1024

// KeyOf returns the key that a guard of that consumer gives rec, for tests of
// a KeyFunc and for tools that look up a row. It panics when consumerName is
// empty or fn is nil.
func KeyOf(consumerName string, fn KeyFunc, rec *consumer.Record) (Key, error) {
	var w KeyWriter
	k := newKeyer(consumerName, fn)
	return k.key(&w, rec)
}

// keyer makes the keys of one consumer.
type keyer struct {
	prefix []byte // version and consumer
	fn     KeyFunc
}

func newKeyer(consumerName string, fn KeyFunc) keyer {
	if consumerName == "" {
		panic("dedupe: keys need the name of a consumer")
	}
	if fn == nil {
		panic("dedupe: keys need a KeyFunc")
	}
	w := KeyWriter{buf: []byte("v1")}
	w.String(consumerName)
	return keyer{prefix: w.buf, fn: fn}
}

// key makes the key of rec with w, whose memory it reuses: the only new
// memory is the key itself. Whatever fails is a [KeyError].
func (k *keyer) key(w *KeyWriter, rec *consumer.Record) (Key, error) {
	w.reset(k.prefix)
	if err := k.fn(w, rec); err != nil {
		if _, ok := errors.AsType[*KeyError](err); !ok {
			err = &KeyError{Part: "key", Err: err}
		}
		return "", err
	}
	if w.err != nil {
		return "", w.err
	}
	if w.parts == 0 {
		return "", &KeyError{Part: "key", Err: ErrNoKey}
	}
	if len(w.buf) > maxKey {
		w.fold(len(k.prefix))
	}
	return Key(w.buf), nil
}
