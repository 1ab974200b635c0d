package dedupe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// SessionOptions say how a [Session] reports.
type SessionOptions struct {
	// Settled is told the outcome of each ticket, once: nil when its record
	// may be acknowledged. It is called from any goroutine and must not
	// block. Required.
	Settled func(t *Ticket, err error)

	// Again is told that a ticket whose twin was not started may be given to
	// Readmit. It is called from any goroutine and must not block. Required.
	Again func(t *Ticket)

	// Deadline is when the caller will be stopped: no lease reaches past it,
	// but for the skew. Defaults to none.
	Deadline time.Time

	// Key stands in for the guard's Options.Key. Defaults to that.
	Key KeyFunc

	// Fingerprint stands in for the guard's Options.Fingerprint. Defaults to
	// that.
	Fingerprint FingerprintFunc

	// NoFollow makes a record whose twin runs in this process fail with
	// [ErrInProgress], as it would if the twin ran elsewhere. Defaults to
	// false: it waits for its twin.
	NoFollow bool

	// Limit is when the caller has to answer: no settlement is waited for
	// after it. Defaults to none.
	Limit time.Time
}

// Session is one batch's dealings with a [Guard]: it claims the keys of
// records in groups, keeps the leases alive, and settles each record. Sessions
// are made by [Guard.Session] and ended by Close.
type Session struct {
	g   *Guard
	ctx context.Context //nolint:containedctx // the batch's own: a session lives as long as the call that made it
	o   SessionOptions

	mu       sync.Mutex
	leases   []*Ticket          // won; those settled since are dropped at the next beat
	beat     *time.Timer        // set while leases are kept alive
	due      time.Time          // of the next beat; zero while one is under way
	stopBeat context.CancelFunc // ends an extend under way
	beating  chan struct{}      // closed when the last extend that was begun has ended
	closed   bool

	open sync.WaitGroup // settlements and heartbeats under way
}

// Session returns a session for one batch. Handlers run under ctx: when it
// ends they are to stop, while claims are settled detached from it. It may be
// called on a nil Guard: then every record is admitted and nothing is kept.
func (g *Guard) Session(ctx context.Context, o SessionOptions) *Session {
	return &Session{g: g, ctx: ctx, o: o}
}

// Admit claims the keys of recs in one call to the store, and returns a
// ticket for each, in order, numbered from first. Those that are
// [Ticket.Ready] may be handled; the others are, or will be, told to Settled
// or Again.
func (s *Session) Admit(recs []*consumer.Record, first int) []Ticket {
	ts := make([]Ticket, len(recs))
	for i, rec := range recs {
		ts[i].s, ts[i].rec, ts[i].number = s, rec, first+i
	}
	if s.g == nil {
		for i := range ts {
			ts[i].to(ready)
		}
		return ts
	}
	s.admit(ts)
	return ts
}

// Readmit tries once more with a ticket that was told to Again.
func (s *Session) Readmit(t *Ticket) {
	t.mu.Lock()
	follows := t.is(following)
	if follows {
		t.to(fresh)
	}
	t.mu.Unlock()
	if follows { // was not skipped meanwhile
		s.lead(t)
	}
}

// Enter says that the calling goroutine is about to handle tickets, and Leave
// that it has no more. Settlements gather while somebody may add to them; the
// last to leave carries out what has gathered, before Leave returns.
func (s *Session) Enter() {
	if s.g != nil {
		s.g.comb.enter()
	}
}

// Leave ends an Enter.
func (s *Session) Leave() {
	if s.g != nil {
		s.g.comb.leave()
	}
}

// LeaveBehind is Leave for a goroutine that does not come back from its
// handler: others do not wait for what it may add.
func (s *Session) LeaveBehind() {
	if s.g != nil {
		s.g.comb.leaveBehind()
	}
}

// Close ends the session: it waits for every settlement under way. Tickets
// that are ready and were neither settled nor skipped lose their claim when
// its lease ends.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	if s.beat != nil && s.beat.Stop() {
		s.open.Done()
	}
	if s.stopBeat != nil {
		s.stopBeat()
	}
	held := s.leases
	s.leases = nil // a handler that was abandoned may still come and change it
	s.mu.Unlock()
	for _, t := range held {
		if t.is(ready) { // nobody will settle it: let its key go in this process
			t.land(errGivenUp)
		}
	}
	s.open.Wait()
}

func (s *Session) observe(e consumer.Event) { s.g.o.Observer.Observe(s.ctx, e) }

func (s *Session) observed() bool { return s.g != nil && s.g.o.Observer != nil }

// scratch is what admitting a group needs for a moment.
type scratch struct {
	keys    KeyWriter
	leaders []*Ticket
	ops     []Op
}

func (g *Guard) scratch() *scratch {
	if sc, ok := g.pool.Get().(*scratch); ok {
		return sc
	}
	return new(scratch)
}

// recycle keeps sc for the next group, without what it points to.
func (g *Guard) recycle(sc *scratch) {
	clear(sc.leaders)
	clear(sc.ops)
	sc.leaders, sc.ops = sc.leaders[:0], sc.ops[:0]
	g.pool.Put(sc)
}

// admit makes keys, finds twins in this process, and claims the rest.
func (s *Session) admit(ts []Ticket) {
	s.g.warnRetention(s.ctx)
	sc := s.g.scratch()
	defer s.g.recycle(sc)
	now := MillisOf(time.Now())
	lease := s.g.lease(now, s.o.Deadline)
	for i := range ts {
		ts[i].leaseEnd = lease
		if err := ts[i].identify(&sc.keys); err != nil {
			ts[i].reject(err)
		}
	}
	s.g.mu.Lock()
	for i := range ts {
		if ts[i].at() == fresh && ts[i].takeOff() {
			sc.leaders = append(sc.leaders, &ts[i])
		}
	}
	s.g.mu.Unlock()
	for i := range ts {
		if ts[i].is(refused) {
			ts[i].refuse()
		}
	}
	s.claim(sc, now)
}

// lead gives one ticket a new try.
func (s *Session) lead(t *Ticket) {
	now := MillisOf(time.Now())
	t.mu.Lock()
	t.leaseEnd = s.g.lease(now, s.o.Deadline)
	t.mu.Unlock()
	s.g.mu.Lock()
	leads := t.takeOff()
	s.g.mu.Unlock()
	if t.is(refused) {
		t.refuse()
	}
	if leads {
		sc := s.g.scratch()
		defer s.g.recycle(sc)
		sc.leaders = append(sc.leaders, t)
		s.claim(sc, now)
	}
}

// claim asks the store for the keys of the leaders in one call. Their leases
// were counted from now, before anybody could know them.
func (s *Session) claim(sc *scratch, now Millis) {
	if len(sc.leaders) == 0 {
		return
	}
	owners := newOwners()
	for _, t := range sc.leaders {
		t.owner = owners.next()
		sc.ops = append(sc.ops, t.claimOp(now))
	}
	vs := s.decide(sc.ops)
	s.g.mu.Lock()
	for i := range vs {
		if vs[i].Outcome != Won {
			sc.leaders[i].touchDown()
		}
	}
	s.g.mu.Unlock()
	won := false
	for i := range vs {
		won = sc.leaders[i].claimed(&vs[i]) || won
	}
	if won {
		s.keepAlive(sc.leaders, now)
	}
}

const (
	claimTries   = 3
	claimBackoff = 20 * time.Millisecond
)

// decide sends claims, and once more those that stayed undecided: a claim
// that was applied although its answer was lost recognises its own owner.
func (s *Session) decide(ops []Op) []Verdict {
	vs := s.g.comb.apply(s.ctx, ops)
	for try := 1; try < claimTries; try++ {
		var again []int
		for i := range vs {
			if vs[i].Outcome == Undecided {
				again = append(again, i)
			}
		}
		if len(again) == 0 || !pause(s.ctx, backoff(claimBackoff, try)) {
			break
		}
		sub := make([]Op, len(again))
		for k, i := range again {
			sub[k] = ops[i]
		}
		for k, v := range s.g.comb.apply(s.ctx, sub) {
			vs[again[k]] = v
		}
	}
	return vs
}

// pause waits for d and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff returns base doubled with every try, half of it drawn at random.
func backoff(base time.Duration, try int) time.Duration {
	d := base << min(try-1, 10)
	return d/2 + mathrand.N(d/2+1)
}

// owners makes the owner tokens of one group: random bytes and a counter.
type owners struct {
	base Owner
	n    uint32
}

func newOwners() owners {
	var o owners
	_, _ = rand.Read(o.base[:]) // never fails: the process ends first
	o.n = binary.BigEndian.Uint32(o.base[12:]) & (math.MaxUint32 >> 1)
	return o
}

func (o *owners) next() Owner {
	o.n++
	binary.BigEndian.PutUint32(o.base[12:], o.n)
	return o.base
}
