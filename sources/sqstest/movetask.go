package sqstest

import "time"

// moveTask is a message move task. One with a rate makes its steps when
// somebody looks at the server; one without is done at once.
type moveTask struct {
	handle      string
	source      string
	destination string
	rate        int
	started     time.Time
	toMove      int
	moved       int
	status      string
	failure     string
}

type startMoveInput struct {
	SourceArn                    string
	DestinationArn               string
	MaxNumberOfMessagesPerSecond *int
}

func (i *startMoveInput) apply(c *call) (any, *Error) {
	src := c.queueAt(i.SourceArn)
	switch {
	case i.SourceArn == "":
		return nil, missing("SourceArn")
	case src == nil, i.DestinationArn != "" && c.queueAt(i.DestinationArn) == nil:
		return nil, newError("ResourceNotFoundException", "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist.")
	case !c.isDeadLetterQueue(src):
		return nil, invalidValue("Source queue must be configured as a Dead Letter Queue.")
	case i.DestinationArn != "" && c.queueAt(i.DestinationArn) == src:
		return nil, invalidValue("Source queue arn and destination queue arn cannot be the same.")
	}
	if err := inRange("MaxNumberOfMessagesPerSecond", i.MaxNumberOfMessagesPerSecond, 1, 500); err != nil {
		return nil, err
	}
	for _, t := range c.tasks {
		if t.status == "RUNNING" && c.queueAt(t.source) == src {
			return nil, newError("UnsupportedOperation", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		}
	}
	c.expire(src, c.now)
	t := &moveTask{
		handle: c.newID(), source: i.SourceArn, destination: i.DestinationArn,
		started: c.now, toMove: src.counts[stateVisible], status: "RUNNING",
	}
	if i.MaxNumberOfMessagesPerSecond != nil {
		t.rate = *i.MaxNumberOfMessagesPerSecond
	}
	c.tasks = append(c.tasks, t)
	c.runMoveTasks(c.now)
	// Long polls learn here when the first message will come.
	for _, q := range c.queues {
		q.notify()
	}
	return struct{ TaskHandle string }{t.handle}, nil
}

type listMovesInput struct {
	SourceArn  string
	MaxResults *int
}

type moveResult struct {
	TaskHandle                        string `json:",omitempty"`
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64
}

func (i *listMovesInput) apply(c *call) (any, *Error) {
	src := c.queueAt(i.SourceArn)
	if src == nil {
		return nil, newError("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	if err := inRange("MaxResults", i.MaxResults, 1, 10); err != nil {
		return nil, err
	}
	n := 1
	if i.MaxResults != nil {
		n = *i.MaxResults
	}
	results := []moveResult{}
	for k := len(c.tasks) - 1; k >= 0 && len(results) < n; k-- {
		t := c.tasks[k]
		if c.queueAt(t.source) != src {
			continue
		}
		r := moveResult{
			Status: t.status, SourceArn: t.source, DestinationArn: t.destination,
			MaxNumberOfMessagesPerSecond:     t.rate,
			ApproximateNumberOfMessagesMoved: t.moved, ApproximateNumberOfMessagesToMove: t.toMove,
			FailureReason: t.failure, StartedTimestamp: t.started.UnixMilli(),
		}
		if t.status == "RUNNING" {
			r.TaskHandle = t.handle
		}
		results = append(results, r)
	}
	return struct{ Results []moveResult }{results}, nil
}

type cancelMoveInput struct{ TaskHandle string }

func (i *cancelMoveInput) apply(c *call) (any, *Error) {
	if i.TaskHandle == "" {
		return nil, missing("TaskHandle")
	}
	for _, t := range c.tasks {
		if t.handle != i.TaskHandle {
			continue
		}
		if t.status != "RUNNING" {
			return nil, newError("UnsupportedOperation", "Only active tasks can be cancelled.")
		}
		t.status = "CANCELLED"
		return struct{ ApproximateNumberOfMessagesMoved int }{t.moved}, nil
	}
	return nil, newError("ResourceNotFoundException", "Task does not exist.")
}

// isDeadLetterQueue tells whether some queue names q in its redrive policy.
func (s *Server) isDeadLetterQueue(q *queue) bool {
	for _, other := range s.queues {
		if p := other.settings.redrive; p != nil && s.queueAt(p.target) == q {
			return true
		}
	}
	return false
}

// runMoveTasks makes all steps that are due.
func (s *Server) runMoveTasks(now time.Time) {
	for _, t := range s.tasks {
		for t.status == "RUNNING" && !t.next().After(now) {
			t.status, t.failure = s.move(t, now)
		}
	}
}

// next is when the next message of the task moves.
func (t *moveTask) next() time.Time {
	if t.rate == 0 {
		return t.started
	}
	return t.started.Add(time.Duration(t.moved+1) * time.Second / time.Duration(t.rate))
}

// nextMove is when the next message of any task moves.
func (s *Server) nextMove() (next time.Time, ok bool) {
	for _, t := range s.tasks {
		if at := t.next(); t.status == "RUNNING" && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

// move moves one message as a new one: new id, new time, never received.
func (s *Server) move(t *moveTask, now time.Time) (status, failure string) {
	src := s.queueAt(t.source)
	if src == nil {
		return "FAILED", "AWS.SimpleQueueService.NonExistentQueue"
	}
	s.expire(src, now)
	m := src.firstVisible()
	if m == nil {
		return "COMPLETED", ""
	}
	if m.extra {
		src.remove(m)
		return "RUNNING", ""
	}
	destination := t.destination
	if destination == "" {
		destination = m.source
	}
	dst := s.queueAt(destination)
	switch {
	case destination == "":
		return "FAILED", "CouldNotDetermineMessageSource"
	case dst == nil, dst == src:
		return "FAILED", "AWS.SimpleQueueService.NonExistentQueue"
	}
	d := s.newMessage(s.newID(), m.body, now)
	d.attrs, d.trace, d.group, d.dedup = m.attrs, m.trace, m.group, m.dedup
	src.remove(m)
	dst.add(d, now, 0)
	t.moved++
	s.history.add(Event{Time: now, Op: OpMove, Queue: src.name, MessageIDs: []string{m.id, d.id}})
	return "RUNNING", ""
}

func (q *queue) firstVisible() *message {
	if q.settings.fifo {
		if msgs := q.fifo.available(1); len(msgs) > 0 {
			return msgs[0]
		}
		return nil
	}
	if e := q.visible.Front(); e != nil {
		return messageOf(e)
	}
	return nil
}
