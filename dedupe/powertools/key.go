package powertools

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Key returns the id of the record's item in the Powertools table. Compare it
// with an item that is there before the switch: a wrong prefix or expression
// finds nothing, and nothing looks the same as not done. It panics as [Done]
// does; its errors are of type [dedupe.KeyError].
func (o Options) Key(rec *consumer.Record) (string, error) {
	o.check("Key")
	o = o.withDefaults()
	return o.id(rec)
}

// id is Key for options that are complete.
func (o *Options) id(rec *consumer.Record) (string, error) {
	value, err := o.Data(rec)
	if err != nil {
		return "", keyError("data", err)
	}
	if identifiesNothing(value) {
		return "", keyError("data", dedupe.ErrNoKey)
	}
	sum, err := o.digest(value)
	if err != nil {
		return "", keyError("data", err)
	}
	return o.Prefix + "#" + sum, nil
}

// digest is the hash of a JSON value, as the library writes it.
func (o *Options) digest(value []byte) (string, error) {
	text, err := o.Library.text(value)
	if err != nil {
		return "", err
	}
	h := o.Hash()
	_, _ = h.Write(text) // never fails, see [hash.Hash]
	if o.Library == TypeScript {
		return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// identifiesNothing tells whether the value is null or empty, or has only null
// in it. The libraries differ in which of these they skip and which they hash,
// and what they hash is one record for everything that has no key.
func identifiesNothing(value []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	open, err := dec.ReadToken()
	if err != nil {
		return false // text reports it
	}
	kind := open.Kind()
	switch kind {
	case jsontext.KindNull:
		return true
	case jsontext.KindString:
		return open.String() == ""
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
	default:
		return false
	}
	for {
		if kind == jsontext.KindBeginObject && dec.PeekKind() == jsontext.KindString {
			if _, err := dec.ReadToken(); err != nil {
				return false
			}
		}
		switch dec.PeekKind() {
		case jsontext.KindNull:
			if _, err := dec.ReadToken(); err != nil {
				return false
			}
		case jsontext.KindEndObject, jsontext.KindEndArray:
			return true
		default:
			return false
		}
	}
}

func keyError(part string, err error) error {
	if _, ok := errors.AsType[*dedupe.KeyError](err); ok {
		return err
	}
	return &dedupe.KeyError{Part: fmt.Sprintf("powertools %s", part), Err: err}
}
