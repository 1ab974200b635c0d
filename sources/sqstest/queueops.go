package sqstest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cooldown is how long a deleted queue's name is taken, and how far apart two
// purges have to be.
const cooldown = time.Minute

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
}

type urlOutput struct{ QueueUrl string }

func (i *createQueueInput) apply(c *call) (any, *Error) {
	if err := c.createQueue(c.now, i.QueueName, i.Attributes); err != nil {
		return nil, err
	}
	return urlOutput{c.url(i.QueueName)}, nil
}

// createQueue creates a queue, or accepts an existing one that has the same
// attributes.
func (s *Server) createQueue(now time.Time, name string, attrs map[string]string) *Error {
	base, suffix := strings.CutSuffix(name, ".fifo")
	if name == "" {
		return missing("QueueName")
	}
	if base == "" || len(name) > 80 || !onlyNameCharacters(base) || suffix != (attrs["FifoQueue"] == "true") {
		return invalidValue("The name of a queue can only include alphanumeric characters, hyphens, or underscores, " +
			"1 to 80 in length, and that of a FIFO queue ends in .fifo.")
	}
	if q := s.queues[name]; q != nil {
		for k, v := range attrs {
			if q.settings.raw[k] != v {
				return newError("QueueNameExists", "A queue already exists with the same name and a different value for attribute "+k+".")
			}
		}
		return nil
	}
	if at, ok := s.buried[name]; ok && now.Sub(at) < cooldown {
		return newError("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	}
	set, err := parseSettings(attrs)
	if err == nil {
		err = s.checkRedrive(set)
	}
	if err != nil {
		return err
	}
	s.queues[name] = newQueue(name, set, now)
	return nil
}

// checkRedrive checks that the dead-letter queue exists and is of the same
// kind.
func (s *Server) checkRedrive(set settings) *Error {
	if set.redrive == nil {
		return nil
	}
	dlq := s.queueAt(set.redrive.target)
	if dlq == nil || dlq.settings.fifo != set.fifo {
		return invalidValue("Value " + set.redrive.target + " for parameter RedrivePolicy is invalid. " +
			"Reason: Dead letter target does not exist or is of another type.")
	}
	return nil
}

// url is the address of a queue as the client of this request sees it.
func (c *call) url(name string) string { return c.host + "/" + account + "/" + name }

type getQueueURLInput struct{ QueueName string }

func (i *getQueueURLInput) apply(c *call) (any, *Error) {
	if c.queues[i.QueueName] == nil {
		return nil, noSuchQueue()
	}
	return urlOutput{c.url(i.QueueName)}, nil
}

type listQueuesInput struct {
	QueueNamePrefix string
	page
}

func (i *listQueuesInput) apply(c *call) (any, *Error) {
	urls, token, err := i.list(c, func(q *queue) bool { return strings.HasPrefix(q.name, i.QueueNamePrefix) })
	return struct {
		QueueUrls []string `json:",omitempty"`
		NextToken string   `json:",omitempty"`
	}{urls, token}, err
}

type listSourcesInput struct {
	onQueue
	page
}

func (i *listSourcesInput) apply(c *call) (any, *Error) {
	urls, token, err := i.list(c, func(q *queue) bool {
		return q.settings.redrive != nil && c.queueAt(q.settings.redrive.target) == c.queue
	})
	// The member is lower case in the service's model, unlike all others.
	return struct {
		QueueUrls []string `json:"queueUrls"`
		NextToken string   `json:",omitempty"`
	}{urls, token}, err
}

// page is the paging of the two lists of queues. The token is the last name.
type page struct {
	MaxResults *int
	NextToken  string
}

func (p *page) list(c *call, want func(*queue) bool) (urls []string, token string, err *Error) {
	if err := inRange("MaxResults", p.MaxResults, 1, 1000); err != nil {
		return nil, "", err
	}
	urls = []string{}
	last := ""
	for _, name := range slices.Sorted(maps.Keys(c.queues)) {
		if name <= p.NextToken || !want(c.queues[name]) {
			continue
		}
		if p.MaxResults != nil && len(urls) == *p.MaxResults || len(urls) == 1000 {
			return urls, last, nil
		}
		urls, last = append(urls, c.url(name)), name
	}
	return urls, "", nil
}

type getAttributesInput struct {
	onQueue
	AttributeNames []string
}

func (i *getAttributesInput) apply(c *call) (any, *Error) {
	q := c.queue
	all := maps.Clone(q.settings.raw)
	all["ApproximateNumberOfMessages"] = strconv.Itoa(q.counts[stateVisible])
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(q.counts[stateInFlight])
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(q.counts[stateDelayed])
	all["CreatedTimestamp"] = strconv.FormatInt(q.created.Unix(), 10)
	all["LastModifiedTimestamp"] = strconv.FormatInt(q.modified.Unix(), 10)
	all["QueueArn"] = c.ARN(q.name)

	out := struct {
		Attributes map[string]string `json:",omitempty"`
	}{map[string]string{}}
	for _, name := range i.AttributeNames {
		if name == "All" {
			out.Attributes = all
			break
		}
		if v, ok := all[name]; ok {
			out.Attributes[name] = v
		} else if err := (&settings{fifo: true}).checkText(name, ""); err != nil && err.Code == "InvalidAttributeName" {
			return nil, err
		}
	}
	return out, nil
}

type setAttributesInput struct {
	onQueue
	Attributes map[string]string
}

func (i *setAttributesInput) apply(c *call) (any, *Error) {
	q := c.queue
	raw := maps.Clone(q.settings.raw)
	for k, v := range i.Attributes {
		if k == "FifoQueue" && raw[k] != v {
			return nil, invalidAttribute(k)
		}
		raw[k] = v
	}
	set, err := parseSettings(raw)
	if err == nil {
		err = c.checkRedrive(set)
	}
	if err != nil {
		return nil, err
	}
	q.settings, q.modified = set, c.now
	q.notify()
	return empty{}, nil
}

type deleteQueueInput struct{ onQueue }

func (i *deleteQueueInput) apply(c *call) (any, *Error) {
	delete(c.queues, c.queue.name)
	c.buried[c.queue.name] = c.now
	c.queue.notify()
	return empty{}, nil
}

type purgeQueueInput struct{ onQueue }

func (i *purgeQueueInput) apply(c *call) (any, *Error) {
	q := c.queue
	if !q.purged.IsZero() && c.now.Sub(q.purged) < cooldown {
		return nil, newError("PurgeQueueInProgress", "Only one PurgeQueue operation on "+q.name+" is allowed every 60 seconds.")
	}
	q.purged = c.now
	q.clear()
	q.notify()
	return empty{}, nil
}
