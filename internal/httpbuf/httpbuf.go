// Package httpbuf gathers what an [http.Handler] writes into a whole response,
// so that it can be recorded before anybody gets it.
package httpbuf

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// Response is a whole response. Its header holds what can be sent: valid names
// and values, nothing about the length or the framing of the body, and no
// trailers.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Writer is an [http.ResponseWriter] that sends nothing. It offers nothing
// beyond that: to a handler that wants to stream, flush or hijack,
// [http.ResponseController] says that it cannot.
type Writer struct {
	header http.Header
	status int
	fixed  http.Header // as it was when the status was written
	body   []byte
}

// NewWriter returns a Writer without a response.
func NewWriter() *Writer { return &Writer{header: make(http.Header)} }

// Header returns the header as it will be written.
func (w *Writer) Header() http.Header { return w.header }

// WriteHeader fixes status and header. Informational statuses are passed over:
// nobody is there to be informed. Like that of net/http it panics on what is
// no status.
func (w *Writer) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	case status < 200 || w.status != 0:
		return
	}
	w.status = status
	w.fixed = maps.Clone(w.header) // a handler may go on changing it
}

// Write appends to the body.
func (w *Writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !BodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// WriteString appends to the body.
func (w *Writer) WriteString(s string) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !BodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.body = append(w.body, s...)
	return len(s), nil
}

// Response returns what was written. Nothing may be written afterwards.
func (w *Writer) Response() *Response {
	w.WriteHeader(http.StatusOK)
	h := make(http.Header, len(w.fixed)+1)
	for name, values := range w.fixed {
		if !Sendable(name) || framing(name) {
			continue
		}
		clean := make([]string, len(values))
		for i, v := range values {
			clean[i] = strings.Trim(lines.Replace(v), " \t")
		}
		h[name] = clean
	}
	// What net/http does when it writes, done here so that a stored response
	// says the same when something else writes it.
	if _, typed := h["Content-Type"]; !typed && len(w.body) > 0 && h.Get("Content-Encoding") == "" {
		h.Set("Content-Type", http.DetectContentType(w.body))
	}
	return &Response{Status: w.status, Header: h, Body: w.body}
}

// lines keeps a value on its line, as net/http does.
var lines = strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ") //nolint:gochecknoglobals // never changed

// BodyAllowed reports whether a response with that status may have a body.
func BodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// framing reports whether a header says how the body is sent, or announces or
// carries trailers.
func framing(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return strings.HasPrefix(name, http.TrailerPrefix)
}

// Sendable reports whether name can be the name of a header: a token of
// RFC 9110. net/http leaves others out.
func Sendable(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}
