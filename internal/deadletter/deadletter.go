// Package deadletter has what a poller writes on a message that it sends to a
// dead-letter queue. Whoever reads the letter, from there or after a redrive,
// sees a message with an id of its own that is the one it was before.
package deadletter

// Message attributes of a dead letter.
const (
	MessageID = "onlyonce.message-id" // the messageId of the message that it was
	Reason    = "onlyonce.reason"     // why it is here
)

// ID returns the id under which the work of a message is known, from its
// attributes and its messageId: copies of one dead letter are one work.
func ID(attributes map[string]string, messageID string) string {
	if id := attributes[MessageID]; id != "" {
		return id
	}
	return messageID
}
