package httpsource

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
)

// The types of the problems that [Once] answers with, as RFC 9457 has them.
const (
	ProblemNoKey       = problems + "ProblemNoKey"       // 400: the header is missing
	ProblemBadKey      = problems + "ProblemBadKey"      // 400: the header is malformed, or there are several
	ProblemBody        = problems + "ProblemBody"        // 400: the body could not be read
	ProblemScope       = problems + "ProblemScope"       // 403: nobody's key
	ProblemInProgress  = problems + "ProblemInProgress"  // 409, Retry-After: a request with this key is not finished
	ProblemParked      = problems + "ProblemParked"      // 409: at-most-once, may have run; a person decides
	ProblemLost        = problems + "ProblemLost"        // 410: finished before, and the response was not kept
	ProblemTooLarge    = problems + "ProblemTooLarge"    // 413: the body is too large
	ProblemReused      = problems + "ProblemReused"      // 422: the key belongs to another request
	ProblemFailed      = problems + "ProblemFailed"      // 500: the handler panicked
	ProblemUnreadable  = problems + "ProblemUnreadable"  // 500: finished before, and the stored response is broken
	ProblemUnavailable = problems + "ProblemUnavailable" // 503, Retry-After: the store does not answer; not started
	ProblemUnrecorded  = problems + "ProblemUnrecorded"  // 503, Retry-After: ran, but could not be recorded
	ProblemTimeout     = problems + "ProblemTimeout"     // 503, Retry-After: the time was over before it started
)

const problems = "https://pkg.go.dev/github.com/onlyonce-go/onlyonce/sources/httpsource#"

// problem is an answer that is not the handler's.
type problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	after  time.Duration // for Retry-After, when that makes sense
}

// soon is when to come again after what may have passed already.
const soon = time.Second

// problemOf says what a client is told of an error. The texts of errors stay
// here: they can name tables and hosts.
func problemOf(err error) problem {
	_, unreadable := errors.AsType[*StoredError](err)
	_, reused := errors.AsType[*dedupe.MismatchError](err)
	_, panicked := errors.AsType[*consumer.PanicError](err)
	store, undecided := errors.AsType[*dedupe.StoreError](err)
	retry, later := errors.AsType[*consumer.RetryError](err)
	switch {
	case errors.Is(err, errLost):
		return problem{ProblemLost, "The response was not kept", http.StatusGone,
			"A request with this key was finished before. Its response was too large to be kept.", 0}
	case unreadable:
		return problem{ProblemUnreadable, "The stored response cannot be read", http.StatusInternalServerError,
			"A request with this key was finished before. Its response is stored in a form that this server cannot read.", 0}
	case reused:
		return problem{ProblemReused, "The key was used for another request", http.StatusUnprocessableEntity,
			"A key belongs to one method, path, query and body. Send a new request with a new key.", 0}
	case later && errors.Is(err, dedupe.ErrInProgress):
		return problem{ProblemInProgress, "A request with this key is in progress", http.StatusConflict,
			"Send the same request with the same key again, after the seconds of Retry-After.", max(retry.After, soon)}
	case errors.Is(err, dedupe.ErrParked):
		return problem{ProblemParked, "A request with this key may have run", http.StatusConflict,
			"An earlier run did not come to its end, and this operation is never run twice. A person has to decide.", 0}
	case panicked, errors.Is(err, consumer.ErrGoexit):
		return problem{ProblemFailed, "The server failed", http.StatusInternalServerError,
			"Nothing was recorded. The same request with the same key may be sent again.", 0}
	case undecided && store.Op == dedupe.OpClaim:
		return problem{ProblemUnavailable, "Requests cannot be recorded at the moment", http.StatusServiceUnavailable,
			"The request was not started. Send it with the same key again.", soon}
	case undecided, errors.Is(err, dedupe.ErrLeaseLost):
		return problem{ProblemUnrecorded, "The result could not be recorded", http.StatusServiceUnavailable,
			"The request may have taken effect. Send it with the same key again.", soon}
	}
	return problem{ProblemTimeout, "The time was over", http.StatusServiceUnavailable,
		"The request was not started in time. Send it with the same key again.", soon}
}

// write sends the problem.
func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	if p.after > 0 {
		h.Set("Retry-After", strconv.FormatFloat(math.Ceil(p.after.Seconds()), 'f', 0, 64))
	}
	body, _ := json.Marshal(p) // strings and a number
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that left will ask again
}
