package httpsource

import (
	"net/http"
	"slices"
	"time"
)

// Options configure [Once]. The zero value is safe.
type Options struct {
	// Methods are those of the requests that are guarded; others are passed
	// on untouched. Defaults to POST and PATCH, which are not idempotent by
	// themselves.
	Methods []string

	// Optional lets a request without the header run unguarded, each time it
	// comes. Defaults to false: it is refused with 400.
	Optional bool

	// Scope says whose key it is, such as the account that a request is
	// authenticated for: two scopes never share a key, so nobody can read
	// another's stored response by guessing. A request for which it returns
	// an error or nothing is refused with 403. Defaults to one scope for all.
	Scope func(r *http.Request) (string, error)

	// MaxBody is the largest body of a request in bytes; it is read before
	// the handler runs. More is refused with 413. Defaults to 1 MiB.
	MaxBody int64

	// MaxResponse is how many bytes of a response are kept, header and status
	// included; the store may keep less. A larger one is sent once and
	// completes without being kept. Defaults to 1 MiB.
	MaxResponse int

	// Keep says which responses end the work, by their status: they are kept
	// and replayed. After any other the same request runs again.
	// Defaults to all below 500 but 408, 425 and 429, which ask to try again.
	Keep func(status int) bool

	// Wait lets a request whose twin runs in this process wait for it and
	// have its response. Defaults to false: it is refused with 409.
	Wait bool

	// Timeout is how long the handler may run, whether the client is there or
	// not, and how long a request waits for its twin. Then the handler's
	// context ends; so it does at a deadline of the request's own context.
	// Defaults to one minute.
	Timeout time.Duration
}

const (
	defaultMax     = 1 << 20
	defaultTimeout = time.Minute
)

// only returns the one Options that the caller of Once may give, complete.
func only(h http.Handler, opts []Options) Options {
	var o Options
	switch {
	case h == nil:
		panic("httpsource: Once needs a handler")
	case len(opts) > 1:
		panic("httpsource: Once takes one Options")
	case len(opts) == 1:
		o = opts[0]
	}
	switch {
	case o.MaxBody < 0:
		panic("httpsource: Once: negative Options.MaxBody")
	case o.MaxResponse < 0:
		panic("httpsource: Once: negative Options.MaxResponse")
	case o.Timeout < 0:
		panic("httpsource: Once: negative Options.Timeout")
	case slices.Contains(o.Methods, ""):
		panic("httpsource: Once: empty name in Options.Methods")
	}
	if o.Methods == nil {
		o.Methods = []string{http.MethodPost, http.MethodPatch}
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMax
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = defaultMax
	}
	if o.Keep == nil {
		o.Keep = ended
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return o
}

// ended reports whether a status says that the work was done, or will never
// be.
func ended(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status < http.StatusInternalServerError
}
