package sqstest

type deleteInput struct {
	onQueue
	ReceiptHandle string
}

func (i *deleteInput) entries() []Entry { return []Entry{handledEntry("", i.ReceiptHandle)} }

func (i *deleteInput) apply(c *call) (any, *Error) {
	return empty{}, c.delete(i.ReceiptHandle)
}

type deleteBatchInput struct {
	onQueue
	Entries []struct{ Id, ReceiptHandle string }
}

func (i *deleteBatchInput) entries() (out []Entry) {
	for _, e := range i.Entries {
		out = append(out, handledEntry(e.Id, e.ReceiptHandle))
	}
	return out
}

func (i *deleteBatchInput) apply(c *call) (any, *Error) {
	return runBatch(c, i.entries(), func(n int) (idOnly, *Error) {
		e := i.Entries[n]
		return idOnly{e.Id}, c.delete(e.ReceiptHandle)
	})
}

// delete deletes by receipt handle. To delete what is gone already succeeds.
func (c *call) delete(receipt string) *Error {
	q := c.queue
	m, h, err := q.resolve(receipt)
	if err != nil {
		return err
	}
	if m == nil {
		c.ids = append(c.ids, h.id)
		return nil
	}
	stale := m.serial != h.serial
	if q.settings.fifo && (stale || m.state != stateInFlight) {
		return invalidValue("Value " + receipt + " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
	}
	if stale && c.opts.IgnoreStaleDelete {
		return nil
	}
	c.ids = append(c.ids, m.id)
	q.remove(m)
	if m.extra {
		// The handle of a surplus delivery is a handle of the message.
		if o := q.messages[m.original.key]; o != nil {
			q.remove(o)
		}
		return nil
	}
	if !q.settings.fifo && c.chance(c.opts.Redeliver) {
		c.addExtra(q, m, c.now)
	}
	return nil
}
