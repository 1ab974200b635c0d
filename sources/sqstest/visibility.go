package sqstest

import "time"

// maxVisibility is the longest visibility timeout in seconds: for a queue, for
// a change, and in total from the receive on.
const maxVisibility = 12 * 60 * 60

type visibilityInput struct {
	onQueue
	ReceiptHandle     string
	VisibilityTimeout *int
}

func (i *visibilityInput) entries() []Entry { return []Entry{handledEntry("", i.ReceiptHandle)} }

func (i *visibilityInput) apply(c *call) (any, *Error) {
	if i.VisibilityTimeout == nil {
		return nil, missing("VisibilityTimeout")
	}
	return empty{}, c.changeVisibility(i.ReceiptHandle, *i.VisibilityTimeout)
}

type visibilityBatchInput struct {
	onQueue
	Entries []struct {
		Id                string
		ReceiptHandle     string
		VisibilityTimeout int
	}
}

func (i *visibilityBatchInput) entries() (out []Entry) {
	for _, e := range i.Entries {
		out = append(out, handledEntry(e.Id, e.ReceiptHandle))
	}
	return out
}

func (i *visibilityBatchInput) apply(c *call) (any, *Error) {
	return runBatch(c, i.entries(), func(n int) (idOnly, *Error) {
		e := i.Entries[n]
		return idOnly{e.Id}, c.changeVisibility(e.ReceiptHandle, e.VisibilityTimeout)
	})
}

// changeVisibility starts the visibility timeout of a message in flight anew.
// More than twelve hours from the receive on are refused, not cut.
func (c *call) changeVisibility(receipt string, timeout int) *Error {
	q := c.queue
	m, h, err := q.resolve(receipt)
	if err != nil {
		return err
	}
	if err := inRange("VisibilityTimeout", &timeout, 0, maxVisibility); err != nil {
		return err
	}
	if m == nil || m.serial != h.serial {
		return invalidValue("Value " + receipt + " for parameter ReceiptHandle is invalid. " +
			"Reason: Message does not exist or is not available for visibility timeout change.")
	}
	if m.state != stateInFlight && (!c.opts.LateExtend || q.settings.fifo) {
		return newError("MessageNotInflight", "The message referred to is not in flight.")
	}
	until := c.now.Add(seconds(timeout))
	if until.After(m.received.Add(maxVisibility * time.Second)) {
		return invalidValue("Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
	}
	m.version++
	c.ids = append(c.ids, m.id)
	q.hide(m, until)
	c.expire(q, c.now)
	return nil
}
