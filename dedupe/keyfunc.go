package dedupe

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// KeyFunc writes the parts that identify a record's work. What it writes must
// depend on the record alone and be the same for every delivery of the same
// work. It does not keep w or rec, and is called from several goroutines at
// once, each with a KeyWriter of its own.
//
// A KeyFunc that writes nothing, or an empty part, gives [ErrNoKey].
type KeyFunc func(w *KeyWriter, rec *consumer.Record) error

// ID writes [consumer.Record.ID], the most stable identity that the source
// has. It is what a guard uses when it is not told otherwise.
//
// An SQS messageId survives redelivery but neither a producer's retry nor a
// redrive from a dead-letter queue; a business field ([Field]) survives both.
func ID(w *KeyWriter, rec *consumer.Record) error {
	if rec.ID == "" {
		return &KeyError{Part: "id", Err: ErrNoKey}
	}
	w.String(rec.ID)
	return nil
}

// Attribute returns a KeyFunc that writes the message attribute of that name.
// A missing or empty one is [ErrNoKey]. Attribute panics when name is empty.
func Attribute(name string) KeyFunc {
	if name == "" {
		panic("dedupe: Attribute needs a name")
	}
	part := fmt.Sprintf("attribute %q", name)
	return func(w *KeyWriter, rec *consumer.Record) error {
		v := rec.Attributes[name]
		if v == "" {
			return &KeyError{Part: part, Err: ErrNoKey}
		}
		w.String(v)
		return nil
	}
}

// BodyHash writes the SHA-256 of the exact bytes of the body: bodies that
// differ in white space or the order of members are different work. An empty
// body is [ErrNoKey].
func BodyHash(w *KeyWriter, rec *consumer.Record) error {
	if len(rec.Body) == 0 {
		return &KeyError{Part: "body", Err: ErrNoKey}
	}
	w.digest(tagBody, rec.Body)
	return nil
}

// Join returns a KeyFunc that writes the parts of all fns, in order. It
// panics when there is none or one of them is nil.
func Join(fns ...KeyFunc) KeyFunc {
	if len(fns) == 0 {
		panic("dedupe: Join needs a KeyFunc")
	}
	for i, fn := range fns {
		if fn == nil {
			panic(fmt.Sprintf("dedupe: Join: KeyFunc %d is nil", i))
		}
	}
	fns = append([]KeyFunc(nil), fns...)
	return func(w *KeyWriter, rec *consumer.Record) error {
		for _, fn := range fns {
			if err := fn(w, rec); err != nil {
				return err
			}
		}
		return nil
	}
}

// replayName writes the name of the replay that delivered a record, and
// nothing for a live delivery, whose key stays what it was.
func replayName(w *KeyWriter, rec *consumer.Record) error {
	if rec.Replay != "" {
		w.String(rec.Replay)
	}
	return nil
}

// FingerprintFunc returns a short text that differs when the payload of two
// records with one key differs. It is stored with the claim, so it must not
// hold what may not be stored.
type FingerprintFunc func(rec *consumer.Record) (string, error)

// BodyFingerprint is the FingerprintFunc for the exact bytes of the body:
// their SHA-256 in 43 characters of base64url.
func BodyFingerprint(rec *consumer.Record) (string, error) {
	sum := sha256.Sum256(rec.Body)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
