package lambdatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// BatchItemFailures reads a partial batch response by the rules of an event
// source mapping with ReportBatchItemFailures. It returns the message ids that
// go back to the queue, each once and in the order of the response.
//
// A null response, {}, a null list and an empty list are success of the whole
// batch. A list of ids that are all in messageIDs fails these. Everything else
// fails the whole batch, which is the error [ErrMalformedResponse]: no JSON or
// no object, an object that has other members only, an identifier that is
// missing, misspelt, null, empty or not in the batch. Names are case-sensitive
// and unknown ones beside the right ones are ignored.
func BatchItemFailures(response []byte, messageIDs []string) ([]string, error) {
	if !json.Valid(response) || !utf8.Valid(response) {
		return nil, malformed("not JSON")
	}
	if isNull(response) {
		return nil, nil
	}
	object, ok := asObject(response)
	if !ok {
		return nil, malformed("not an object")
	}
	if len(object) == 0 {
		return nil, nil
	}
	list, ok := object["batchItemFailures"]
	if !ok {
		return nil, malformed("no batchItemFailures")
	}
	var items []json.RawMessage
	if err := json.Unmarshal(list, &items); err != nil {
		return nil, malformed("batchItemFailures is not a list")
	}

	known := make(map[string]bool, len(messageIDs))
	for _, id := range messageIDs {
		known[id] = true
	}
	var failed []string
	for i, item := range items {
		id, err := itemIdentifier(item)
		if err != nil {
			return nil, fmt.Errorf("%w in item %d", err, i)
		}
		pending, ok := known[id]
		if !ok {
			return nil, fmt.Errorf("%w in item %d", malformed("itemIdentifier %q not in the batch", id), i)
		}
		if pending {
			failed = append(failed, id)
			known[id] = false // AWS does not say what a repeated id means; once is enough
		}
	}
	return failed, nil
}

func itemIdentifier(item json.RawMessage) (string, error) {
	object, ok := asObject(item)
	if !ok {
		return "", malformed("not an object")
	}
	// The map is exact where decoding into a struct would also take
	// ItemIdentifier or ITEMIDENTIFIER for the name.
	raw, ok := object["itemIdentifier"]
	if !ok {
		return "", malformed("no itemIdentifier")
	}
	var id string
	if err := json.Unmarshal(raw, &id); err != nil {
		return "", malformed("itemIdentifier is not a string")
	}
	if id == "" {
		return "", malformed("itemIdentifier is empty or null")
	}
	return id, nil
}

func asObject(doc []byte) (map[string]json.RawMessage, bool) {
	if isNull(doc) {
		return nil, false
	}
	var object map[string]json.RawMessage
	return object, json.Unmarshal(doc, &object) == nil
}

func isNull(doc []byte) bool { return bytes.Equal(bytes.TrimSpace(doc), []byte("null")) }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformedResponse}, args...)...)
}
