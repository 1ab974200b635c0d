// Package dynamodedupe keeps the rows of package dedupe in one DynamoDB table,
// for workers on any number of machines: a group of claims or completions is
// one request, every write is conditional, and every read that decides
// something is strongly consistent.
//
// # How it decides
//
// [dedupe.Step] computes a row's next version from the row as it is known;
// the write goes through only if the item still is that version. A claim
// starts from the guess that there is no item, the end of a claim from what
// this Store remembers of it; a write that DynamoDB refuses is followed by a
// consistent read, unless the refusal carried the item, and by Step on what
// was found. A lost response therefore needs no special care: the retry finds
// its own owner in the item.
//
// # Effects in the same transaction
//
// A handler whose effect is up to 99 writes to DynamoDB can have them and the
// completion of its record in one transaction, [Store.CompleteTx]. A worker
// that dies between effect and recording is then no longer possible, and one
// that was overtaken writes nothing.
//
// # Table
//
// The partition key is pk, a string; there is no sort key. The attribute ttl
// has the table's time to live: Unix seconds, never earlier than what the
// retention and the lease need. DynamoDB deletes expired items within days,
// and no decision waits for that. [CreateTable] makes such a table,
// [Store.Check] looks at one when a worker starts, [Sweep] stands in for the
// time to live where a table cannot have it.
//
// # Permissions
//
// A Store needs dynamodb:PartiQLInsert, dynamodb:PartiQLUpdate,
// dynamodb:PutItem and dynamodb:BatchGetItem on the table (without the first
// two with [Options.SingleItem]); Check needs dynamodb:DescribeTable and
// dynamodb:DescribeTimeToLive, Sweep needs dynamodb:Scan and
// dynamodb:DeleteItem. A transaction has no action of its own: it needs
// dynamodb:PutItem on the table for the record, and for the writes
// dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem or
// dynamodb:ConditionCheckItem on theirs.
//
// # Cost
//
// With items below 1 KB (a row without a result is about 0.3 KB and
// its key), in write and read capacity units:
//
//	record                     write   read   requests, of a group of up to 25
//	fresh: claim, completion   2       0      2
//	duplicate                  1       1      2 (alone: 1, and no read)
//	in progress elsewhere      1       1      2 (alone: 1, and no read)
//	again after a failure      3       1      4 (alone: 3, and no read)
//	heartbeat                  1       0      1
//	completion by CompleteTx   2       0      1 (its writes: 2 units for each KB)
//
// Powertools for AWS Lambda, and most code written by hand, write as often but
// share no requests: two writes in two requests for each fresh record, twenty
// requests for ten of them.
//
// A refused write costs like one that is accepted. A read takes a unit for
// each 4 KB of the item, a write one for each KB. Completions of claims that
// this Store did not make, or no longer remembers, take a read more.
//
// # Requests in flight
//
// A Store has [Options.InFlight] requests in flight at most, over all calls of
// Apply; what comes above that waits in order. Transactions come on top: each
// is a handler's own, and there are as many as call CompleteTx. A quarter of the places is kept
// for requests that extend or end claims, so that claims which hang, however
// many, hold up no heartbeat and no completion. Those that hang themselves hold
// up what comes behind them, until each gives its place back after
// [Options.Timeout]: with the defaults three seconds, of a lease of thirty that
// is extended every ten. The wait counts in the time that the caller gives to
// Apply, not in Timeout.
//
// # Several regions
//
// A global table with multi-region eventual consistency (MREC) resolves
// concurrent writes by the last one: two regions can both claim a key. Let one
// region own each key. With multi-region strong consistency (MRSC) conditions
// hold everywhere, but such tables have no time to live: use Sweep; nor have
// they transactions: CompleteTx returns DynamoDB's error. Do not put DAX
// between: it answers reads from its cache.
package dynamodedupe
