// Package sqssource runs the messages of an SQS queue in a long-running
// process, on ECS, Kubernetes or a plain machine: each is handled once, under
// a guard, and none is lost, whatever happens to the process, the network or
// the store.
//
//	report, err := sqssource.New(client, queueURL, guard, h).Run(ctx)
//
// # Receiving
//
// A poller always long-polls. One receive waits while the queue is empty;
// while they come back full more are made, never for more messages than there
// are free handler slots, bytes and messages ([Options]).
//
// Messages that could not be claimed stay here and are tried again: an outage
// of the store does not use up the queue's maxReceiveCount. While it answers for
// none, receiving pauses once ten wait, and one of them is tried after pauses
// that grow to 30 s. A message that alone is never answered,
// because its row cannot be read, is told as failed, keeps its slot and holds
// up no others.
//
// # In flight
//
// The visibility timeout of every message that is in the process, running or
// waiting, is extended from half of it on, ten messages to a request, up to
// the 12 hours that SQS allows. When that fails until it has passed, the
// handler's context ends with [ErrVisibilityLost]. A message that is received
// again while it is here is not run twice: its newer receipt handle is adopted
// for heartbeats and for its delete.
//
// # Outcomes
//
//	handled, or finished before   deleted
//	failed                        visible again after a random part of 1, 2, 4 s ... 15 minutes
//	consumer.RetryAfter           visible again when it says
//	in progress elsewhere         visible again when the other worker's lease ends
//	consumer.Permanent, parked    moved to the dead-letter queue, if there is one
//	not started                   visible again, at a stop when the long polls under way are back
//
// Deletes and returns share requests: ten, or those of 5 ms, or at once when
// nothing else runs. A failed entry is tried again until the message is
// visible to others; a finished one that could not be deleted is remembered,
// and deleted without running when it comes again.
//
// # Order
//
// The messages of a group of a FIFO queue run one after another. After a
// failure the group waits in the process for the failed message's turn, or,
// where that takes more than ten seconds, goes back to the queue as a whole.
// A message that has failed maxReceiveCount times is moved to the dead-letter
// queue by the poller, and one on the last of its receives is not given back:
// the messages behind it have been received as often, and SQS would move them
// there as well.
//
// On a standard queue a message group is a tenant (fair queues):
// [Options.TenantLimit] bounds how many of its messages run at once.
//
// # Permissions
//
// A poller needs sqs:ReceiveMessage, sqs:DeleteMessage,
// sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on its queue, and for
// dead letters sqs:GetQueueUrl, sqs:SendMessage and, to compare retentions,
// sqs:GetQueueAttributes on the dead-letter queue.
package sqssource
