package powertools

import (
	"crypto/md5"
	"hash"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Library is the Powertools library that wrote the records.
type Library int

// The libraries whose keys can be made here.
const (
	Python Library = iota + 1
	TypeScript
	Java
)

// Options says how the old function made its keys, and where its table keeps
// what. Names in brackets are those of Powertools' own settings.
type Options struct {
	// Library wrote the records. Required.
	Library Library

	// Prefix is what stands before the "#" of a record's id: see the package
	// comment. Required.
	Prefix string

	// Data is what the old function hashed [event_key_jmespath]. Required.
	Data Data

	// Optional runs a record for which Data finds nothing: Powertools kept no
	// record of it [raise_on_no_idempotency_key off]. Defaults to false: it
	// fails with [dedupe.ErrNoKey], as a wrong pointer would find nothing
	// either.
	Optional bool

	// Hash is the hash function [hash_function]. Defaults to MD5.
	Hash func() hash.Hash

	// Validation is what the old function compared with the first run's
	// [payload_validation_jmespath]. A record that differs fails with a
	// [dedupe.MismatchError]. Defaults to none; an item that has a hash to
	// compare with then fails its record with [ErrValidation].
	Validation Data

	// KeyAttr is the partition key [key_attr]. Defaults to "id".
	KeyAttr string

	// SortKeyAttr is the sort key, where the table has one: it has the id
	// then [sort_key_attr]. Defaults to none.
	SortKeyAttr string

	// StaticKey is the value of the partition key where there is a sort key
	// [static_pk_value]; it is "idempotency#" and the function's name unless
	// the old function set it. Required with SortKeyAttr.
	StaticKey string

	// StatusAttr, ExpiryAttr, InProgressExpiryAttr and ValidationAttr are the
	// attributes that are read [status_attr, expiry_attr,
	// in_progress_expiry_attr, validation_key_attr]. They default to "status",
	// "expiration", "in_progress_expiration" and "validation".
	StatusAttr, ExpiryAttr, InProgressExpiryAttr, ValidationAttr string

	// Timeout bounds one look-up together with the SDK's retries of it.
	// Defaults to 3 seconds.
	Timeout time.Duration

	// Observer is told a [consumer.Duplicate] for a record that was finished
	// there and a [consumer.InProgress] for one that a worker there still
	// holds; their Key is the id of the Powertools record. Defaults to none.
	Observer consumer.Observer
}

const defaultTimeout = 3 * time.Second

// check panics when o cannot work, in the name of the function that was
// called.
func (o *Options) check(name string) {
	switch {
	case o.Library < Python || o.Library > Java:
		panic("powertools: " + name + " needs a Library")
	case o.Prefix == "":
		panic("powertools: " + name + " needs a Prefix")
	case o.Data == nil:
		panic("powertools: " + name + " needs Data")
	case o.SortKeyAttr != "" && o.StaticKey == "":
		panic("powertools: " + name + " needs a StaticKey with a SortKeyAttr")
	case o.StaticKey != "" && o.SortKeyAttr == "":
		panic("powertools: " + name + " needs a SortKeyAttr with a StaticKey")
	case o.Timeout < 0:
		panic("powertools: " + name + ": an option is out of range")
	}
}

// withDefaults returns o with what was left out.
func (o Options) withDefaults() Options {
	for _, s := range []struct {
		field *string
		value string
	}{
		{&o.KeyAttr, "id"},
		{&o.StatusAttr, "status"},
		{&o.ExpiryAttr, "expiration"},
		{&o.InProgressExpiryAttr, "in_progress_expiration"},
		{&o.ValidationAttr, "validation"},
	} {
		if *s.field == "" {
			*s.field = s.value
		}
	}
	if o.Hash == nil {
		o.Hash = md5.New
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	o.Observer = consumer.Contained(o.Observer)
	return o
}
