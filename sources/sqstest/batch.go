package sqstest

import "strconv"

// batchOutput is the answer to a batch: HTTP 200 even when every entry failed.
type batchOutput[R any] struct {
	Successful []R           `json:",omitempty"`
	Failed     []failedEntry `json:",omitempty"`
}

type failedEntry struct {
	Id          string
	Code        string
	Message     string
	SenderFault bool
}

type idOnly struct{ Id string }

func (o *batchOutput[R]) corrupt() {
	for i := range o.Successful {
		if m, ok := any(&o.Successful[i]).(interface{ corrupt() }); ok {
			m.corrupt()
		}
	}
}

// runBatch checks the entries of a batch as a whole and then runs them one by
// one.
func runBatch[R any](c *call, entries []Entry, run func(i int) (R, *Error)) (*batchOutput[R], *Error) {
	if err := checkBatch(entries); err != nil {
		return nil, err
	}
	out := &batchOutput[R]{}
	for i, e := range entries {
		err := c.failed(i)
		var r R
		if err == nil {
			r, err = run(i)
		}
		if err != nil {
			out.Failed = append(out.Failed, failedEntry{e.ID, err.queryCode(), err.text(), err.senderFault()})
			continue
		}
		out.Successful = append(out.Successful, r)
	}
	return out, nil
}

func checkBatch(entries []Entry) *Error {
	if len(entries) == 0 {
		return newError("EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(entries) > 10 {
		return newError("TooManyEntriesInBatchRequest",
			"Maximum number of entries per request are 10. You have sent "+strconv.Itoa(len(entries))+".")
	}
	seen := map[string]bool{}
	for _, e := range entries {
		if !validBatchID(e.ID) {
			return newError("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[e.ID] {
			return newError("BatchEntryIdsNotDistinct", "Id "+e.ID+" repeated.")
		}
		seen[e.ID] = true
	}
	return nil
}

func validBatchID(id string) bool {
	if id == "" || len(id) > 80 {
		return false
	}
	return onlyNameCharacters(id)
}

// onlyNameCharacters tells whether s has letters, digits, - and _ only.
func onlyNameCharacters(s string) bool {
	for _, r := range s {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}
