package dedupe

import "github.com/onlyonce-go/onlyonce/consumer"

// Keyer lets the black-box tests and benchmarks make keys as a guard does:
// one KeyWriter for many records.
type Keyer struct{ k keyer }

func NewKeyer(consumerName string, fn KeyFunc) *Keyer { return &Keyer{newKeyer(consumerName, fn)} }

func (k *Keyer) Key(w *KeyWriter, rec *consumer.Record) (Key, error) { return k.k.key(w, rec) }
