// Package dynamostate changes the state of your own DynamoDB item at most once
// per transition: from PENDING to PROCESSING to COMPLETED, each on the
// condition that the item still is in the state before. A transition that was
// made before is a no-op, not an error, whether a message came twice, a worker
// was killed after the write or the response was lost.
//
// # When this is enough
//
// Work whose only effect is the item needs nothing else: no guard, no table
// beside the item's own. [Transition] makes the change, and what else is
// written to the item goes along in [Change.Set], in the same request:
//
//	ship := dynamostate.Change{From: []string{"PAID"}, To: "SHIPPED"}
//	_, err := dynamostate.Transition(ctx, client, item, ship)
//	return err // nil: the order is shipped, by this call or before
//
// Work that has an effect elsewhere, between two transitions, needs somebody
// who says which of two workers does it and when the other may take over. That
// is the guard of package dedupe; a state is no lease. Let its key be that of
// the item (dedupe.Field("/order_id")), so that all messages about one item
// exclude each other. Behind it the states tell how far a run came that was
// cut short:
//
//	start := dynamostate.Change{From: []string{"PENDING"}, To: "PROCESSING", Past: []string{"COMPLETED"}}
//	finish := dynamostate.Change{From: []string{"PROCESSING"}, To: "COMPLETED"}
//
//	// in the handler
//	r, err := dynamostate.Transition(ctx, client, item, start)
//	if err != nil || r.State == "COMPLETED" {
//		return err
//	}
//	... the effect, with the claim's key as its idempotency key ...
//	return finish.Made(store.CompleteTx(ctx, finish.Write(item)), 0)
//
// CompleteTx of package dynamodedupe makes the last transition and the
// completion of the record one transaction; [Change.Made] turns its refusal
// into nil where the transition was made before.
//
// # Changed and Already
//
// [Already] can mean this very call: its first response was lost and the SDK
// sent it again. So what must follow a transition follows both outcomes, and
// is itself a transition, a write in the same request or an effect with an
// idempotency key. Where it matters who made it, let the change say so, with
// Set, and compare in [Result.Item].
//
// # Going back
//
// States that only go forward need no more. Where an item can come back to an
// earlier state, a late copy of an old request finds that state again, and
// changes it again: give each round states of its own, PENDING-2 after
// PENDING-1.
//
// # Permissions
//
// dynamodb:UpdateItem on the item's table. In several regions the conditions
// hold as those of package dynamodedupe do: let one region own each item.
package dynamostate
