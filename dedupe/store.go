package dedupe

import "context"

// A Store keeps one [Row] per [Key] and applies operations to them.
//
// Apply applies each of ops to the row of its key, exactly as [Step] says and
// atomically with respect to every other operation on that key, and returns
// one verdict per op, in order. Operations on different keys are independent:
// a group is not a transaction. A group may name a key more than once; those
// operations apply in the order given.
//
// An operation that could not be decided (a throttled write, a lost response,
// ctx that ended) has the outcome [Undecided] and an error in its verdict; it
// may or may not have been applied, now or later. A non-nil error of Apply
// means the same for every op of the call, and the verdicts are ignored.
// Expected answers are never errors. Apply returns soon after ctx ends.
//
// Keys are exact bytes. A Store may collect expired rows ([Row.Expired]) and
// must keep all others. It holds no policy: everything that a consumer sets
// comes with the op, so that consumers can share one Store.
//
// Apply is called from several goroutines at once. The caller keeps ops and
// what it points to: a Store copies what it wants to keep. The verdicts, and
// the slices in them, belong to the caller, who does not change the bytes of
// Row.Result.
type Store interface {
	Apply(ctx context.Context, ops []Op) ([]Verdict, error)
}
