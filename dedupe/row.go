package dedupe

import (
	"fmt"
	"math"
	"time"
)

// Millis is a point in time in Unix milliseconds: what every store holds and
// compares exactly. Zero means "none".
type Millis int64

// MillisOf returns t in milliseconds, rounded down; the zero time is zero.
func MillisOf(t time.Time) Millis {
	if t.IsZero() {
		return 0
	}
	return Millis(t.UnixMilli())
}

// Time returns m as a time.Time, the zero time for zero.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m))
}

// Add returns m plus d.
func (m Millis) Add(d time.Duration) Millis { return m + Millis(d.Milliseconds()) }

// Sub returns the time from o to m, or the longest Duration, either way, where
// there is none as long: some 292 years.
func (m Millis) Sub(o Millis) time.Duration {
	const most = math.MaxInt64 / Millis(time.Millisecond)
	d := m - o
	switch {
	case m > o && (d < 0 || d > most):
		return math.MaxInt64
	case m < o && (d > 0 || d < -most):
		return math.MinInt64
	}
	return time.Duration(d) * time.Millisecond
}

// State is where a row stands. The zero State means that there is no row.
type State uint8

// The states of a row.
const (
	Absent     State = iota // there is no row
	Processing              // claimed; held by its owner until the lease ends
	Completed               // the handler succeeded and that is recorded
	Failed                  // given back: any claim may have it
	Parked                  // at-most-once: may have run, a person decides
)

// String returns the state's name in capitals, as stores write it.
func (s State) String() string {
	switch s {
	case Absent:
		return "ABSENT"
	case Processing:
		return "PROCESSING"
	case Completed:
		return "COMPLETED"
	case Failed:
		return "FAILED"
	case Parked:
		return "PARKED"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState returns the state of that name, and false when there is none.
func ParseState(name string) (State, bool) {
	for s := Processing; s <= Parked; s++ {
		if s.String() == name {
			return s, true
		}
	}
	return Absent, false
}

// Row is what a store keeps for one key. The zero Row means that there is
// none.
type Row struct {
	State State
	Owner Owner // of the last claim

	// Fence is the fencing number: it grows with every claim of the key, so
	// that the next system can refuse what comes from an older one. It starts
	// at the claim's Unix milliseconds, so that it does not restart below an
	// old number when a store has collected the row.
	Fence int64

	Claims   int32 // claims since the row was made
	Failures int32 // runs that failed since the row was made

	LeaseEnd  Millis // end of the last claim's lease
	RetainEnd Millis // until when the row must be kept
	Created   Millis
	Completed Millis // zero until completed

	LastError   string // why the last run failed, short
	Fingerprint string // of the payload that was claimed; empty when not used
	Result      []byte // what the handler returned, when it is kept
	ResultLost  bool   // completed with a result too large to keep
}

// Exists reports whether r is a row at all.
func (r *Row) Exists() bool { return r.State != Absent }

// Expiry returns when a store may collect the row: when the retention has
// passed, and the lease too while the row is PROCESSING. It returns zero for
// rows that never expire (parked ones) and for no row.
func (r *Row) Expiry() Millis {
	switch r.State {
	case Processing:
		return max(r.RetainEnd, r.LeaseEnd)
	case Completed, Failed:
		return r.RetainEnd
	case Absent, Parked:
	}
	return 0
}

// Expired reports whether a claim at now finds the row as if it were not
// there. A store may collect expired rows whenever it likes.
func (r *Row) Expired(now Millis) bool {
	e := r.Expiry()
	return e != 0 && now >= e
}
