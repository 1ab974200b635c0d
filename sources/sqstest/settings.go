package sqstest

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"
)

// settings are the attributes of a queue, raw as they were set and parsed.
type settings struct {
	raw          map[string]string
	fifo         bool
	visibility   time.Duration
	delay        time.Duration
	wait         time.Duration
	retention    time.Duration
	maxSize      int
	contentDedup bool
	groupScope   bool
	redrive      *redrivePolicy
}

type redrivePolicy struct {
	target      string
	maxReceives int
}

// parseSettings checks attributes and fills in the defaults.
func parseSettings(attrs map[string]string) (settings, *Error) {
	s := settings{raw: maps.Clone(attrs), fifo: attrs["FifoQueue"] == "true"}
	if s.raw == nil {
		s.raw = map[string]string{}
	}
	for name, value := range attrs {
		if err := s.checkText(name, value); err != nil {
			return s, err
		}
	}
	err := firstError(
		s.duration("VisibilityTimeout", &s.visibility, 30, 0, maxVisibility),
		s.duration("DelaySeconds", &s.delay, 0, 0, 900),
		s.duration("ReceiveMessageWaitTimeSeconds", &s.wait, 0, 0, 20),
		s.duration("MessageRetentionPeriod", &s.retention, 345_600, 60, 1_209_600),
		s.number("MaximumMessageSize", &s.maxSize, 1<<20, 1<<10, 1<<20),
		s.parseRedrive(),
	)
	s.contentDedup = s.raw["ContentBasedDeduplication"] == "true"
	s.groupScope = s.raw["DeduplicationScope"] == "messageGroup"
	if s.fifo && s.raw["ContentBasedDeduplication"] == "" {
		s.raw["ContentBasedDeduplication"] = "false"
	}
	return s, err
}

// checkText checks the attributes that are not numbers; those of policies and
// encryption are kept and have no effect.
func (s *settings) checkText(name, value string) *Error {
	var allowed string
	switch name {
	case "VisibilityTimeout", "DelaySeconds", "ReceiveMessageWaitTimeSeconds", "MessageRetentionPeriod",
		"MaximumMessageSize", "RedrivePolicy":
		return nil
	case "Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "RedriveAllowPolicy":
		if value == "" {
			delete(s.raw, name)
		}
		return nil
	case "FifoQueue":
		// A standard queue does not have the attribute, not even as false.
		allowed = "true"
	case "ContentBasedDeduplication":
		allowed = "true false"
	case "DeduplicationScope":
		allowed = "queue messageGroup"
	case "FifoThroughputLimit":
		allowed = "perQueue perMessageGroupId"
	default:
		return newError("InvalidAttributeName", "Unknown Attribute "+name+".")
	}
	if !s.fifo && name != "FifoQueue" {
		return newError("InvalidAttributeName", "You can specify the "+name+" only when FifoQueue is set to true.")
	}
	for v := range strings.SplitSeq(allowed, " ") {
		if v == value {
			return nil
		}
	}
	return invalidAttribute(name)
}

func (s *settings) number(name string, to *int, def, lo, hi int) *Error {
	text, ok := s.raw[name]
	if !ok {
		*to = def
		s.raw[name] = strconv.Itoa(def)
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lo || n > hi {
		return invalidAttribute(name)
	}
	*to = n
	return nil
}

func (s *settings) duration(name string, to *time.Duration, def, lo, hi int) *Error {
	n := 0
	err := s.number(name, &n, def, lo, hi)
	*to = seconds(n)
	return err
}

// parseRedrive reads the RedrivePolicy. maxReceiveCount comes as a number or
// as a string; an empty policy removes it.
func (s *settings) parseRedrive() *Error {
	text := s.raw["RedrivePolicy"]
	if text == "" {
		delete(s.raw, "RedrivePolicy")
		return nil
	}
	var p struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"`
		MaxReceiveCount     any    `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(text), &p) != nil {
		return invalidAttribute("RedrivePolicy")
	}
	n := 0
	switch v := p.MaxReceiveCount.(type) {
	case float64:
		n = int(v)
	case string:
		n, _ = strconv.Atoi(v)
	}
	if p.DeadLetterTargetArn == "" || n < 1 || n > 1000 {
		return invalidAttribute("RedrivePolicy")
	}
	s.redrive = &redrivePolicy{p.DeadLetterTargetArn, n}
	return nil
}

func invalidAttribute(name string) *Error {
	return newError("InvalidAttributeValue", "Invalid value for the parameter "+name+".")
}

func firstError(errs ...*Error) *Error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
