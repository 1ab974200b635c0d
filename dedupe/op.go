package dedupe

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Owner is the token of one claim: 16 random bytes, fresh for every claim and
// never used again.
type Owner [16]byte

// String returns the owner in hexadecimal.
func (o Owner) String() string { return hex.EncodeToString(o[:]) }

// ParseOwner reads what String wrote, and nothing else: in capitals it would
// be another owner to a store that compares texts.
func ParseOwner(s string) (Owner, error) {
	var o Owner
	if len(s) != 2*len(o) || strings.ContainsAny(s, "ABCDEF") {
		return o, fmt.Errorf("dedupe: owner %q: want %d hexadecimal digits, in lower case", s, 2*len(o))
	}
	if _, err := hex.Decode(o[:], []byte(s)); err != nil {
		return Owner{}, fmt.Errorf("dedupe: owner %q: %w", s, err)
	}
	return o, nil
}

// OpKind says what an [Op] asks for.
type OpKind uint8

// The four operations of the protocol.
const (
	OpClaim    OpKind = iota + 1 // make the key ours, if nobody has it
	OpExtend                     // move the end of our lease
	OpComplete                   // our handler succeeded
	OpRelease                    // give the key back
)

// String returns the operation's name in lower case.
func (k OpKind) String() string {
	switch k {
	case OpClaim:
		return "claim"
	case OpExtend:
		return "extend"
	case OpComplete:
		return "complete"
	case OpRelease:
		return "release"
	}
	return fmt.Sprintf("OpKind(%d)", uint8(k))
}

// Op is one operation on one key. All times in it are absolute and set by the
// sender: a copy that the network delivers late cannot stretch a lease.
type Op struct {
	Kind  OpKind
	Key   Key
	Owner Owner

	LeaseEnd  Millis // claim, extend: the end of the lease asked for
	RetainEnd Millis // the row must be kept until then

	// AtMostOnce (claim, release) makes the row of a run that may have
	// happened PARKED instead of free to claim.
	AtMostOnce bool

	// Ran (release) says that the handler ran and failed; false means that it
	// never started.
	Ran bool

	Error       string // release: why, short
	Fingerprint string // claim: of the payload; empty when not used
	Result      []byte // complete: kept for later duplicates; nil for none
	ResultLost  bool   // complete: the result was too large to keep
}

// Outcome is the answer to an Op. The zero Outcome is Undecided, so that an
// answer nobody filled in is never taken for a decision.
type Outcome uint8

// The outcomes.
const (
	// Undecided: whether the operation was applied is not known; the
	// verdict's Err says why.
	Undecided Outcome = iota
	// Won: the claim holds the key.
	Won
	// Done: the key's work is finished. The answer to a claim on a COMPLETED
	// row, and to its owner's release of one.
	Done
	// Busy: another owner holds the key and its lease has not passed, or the
	// key was used, without having been completed, for another payload.
	Busy
	// Stuck: the row is PARKED.
	Stuck
	// Applied: the extend, complete or release holds, now or since an
	// earlier copy of it.
	Applied
	// Lost: the row is not (or no longer) this owner's; nothing changed.
	Lost
)

// String returns the outcome's name in lower case.
func (o Outcome) String() string {
	switch o {
	case Undecided:
		return "undecided"
	case Won:
		return "won"
	case Done:
		return "done"
	case Busy:
		return "busy"
	case Stuck:
		return "stuck"
	case Applied:
		return "applied"
	case Lost:
		return "lost"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Verdict is the answer to one Op.
type Verdict struct {
	Outcome Outcome
	Prior   State // of the row before the operation; Absent when it had expired
	Row     Row   // the row after the operation; zero when Undecided
	Err     error // why an Undecided operation could not be decided
}
