package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The paths and headers of the Lambda Runtime API, version 2018-06-01.
const (
	apiPrefix = "/2018-06-01/runtime/"

	headerRequestID = "Lambda-Runtime-Aws-Request-Id"
	headerDeadline  = "Lambda-Runtime-Deadline-Ms"
	headerARN       = "Lambda-Runtime-Invoked-Function-Arn"
	headerTrace     = "Lambda-Runtime-Trace-Id"
	errorType       = "Lambda-Runtime-Function-Error-Type"
	errorBody       = "Lambda-Runtime-Function-Error-Body"
)

func (p *process) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPrefix+"invocation/next", p.next)
	mux.HandleFunc("POST "+apiPrefix+"invocation/{id}/response", p.response)
	mux.HandleFunc("POST "+apiPrefix+"invocation/{id}/error", p.failure)
	mux.HandleFunc("POST "+apiPrefix+"init/error", p.initError)
	return mux
}

// next answers with the next invocation and blocks until there is one.
func (p *process) next(rw http.ResponseWriter, req *http.Request) {
	p.mu.Lock()
	p.asked = true
	p.initTime.Stop()
	p.mu.Unlock()
	select {
	case inv := <-p.work:
		p.hand(inv, rw, req)
	case <-p.ended:
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", "the process has been ended")
	case <-req.Context().Done():
	}
}

func (p *process) hand(inv *invocation, rw http.ResponseWriter, req *http.Request) {
	if req.Context().Err() != nil { // a loop that hung up while the work came
		inv.done <- result{requeue: true}
		return
	}
	deadline, ok := p.admit(inv)
	if !ok {
		inv.done <- result{requeue: true}
		return
	}
	h := rw.Header()
	h.Set(headerRequestID, inv.id)
	h.Set(headerDeadline, strconv.FormatInt(deadline.UnixMilli(), 10))
	h.Set(headerARN, functionARN(p.opts.Region, p.opts.Name))
	h.Set(headerTrace, traceID(inv.id))
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(inv.payload)))
	_, _ = rw.Write(inv.payload) // a process that hung up dies or misses its deadline, which fails the invocation
}

// traceID makes an X-Ray header of a request id.
func traceID(id string) string {
	hex := strings.ReplaceAll(id, "-", "")
	return fmt.Sprintf("Root=1-%s-%s;Parent=%s;Sampled=0", hex[:8], hex[8:], hex[:16])
}

// response takes the answer of an invocation. A streamed answer that broke off
// says so in trailers, which exist only once the body has been read.
func (p *process) response(rw http.ResponseWriter, req *http.Request) {
	id := req.PathValue("id")
	body, err := io.ReadAll(io.LimitReader(req.Body, maxPayload+1))
	if err != nil {
		return // the process died in mid-sentence; its end fails the invocation
	}
	if len(body) > maxPayload {
		fe := &FunctionError{Type: typeTooBig, Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxPayload)}
		p.accept(rw, id, result{err: fe}, http.StatusRequestEntityTooLarge)
		return
	}
	if kind := req.Trailer.Get(errorType); kind != "" {
		doc, err := base64.StdEncoding.DecodeString(req.Trailer.Get(errorBody))
		if err != nil {
			doc = []byte(req.Trailer.Get(errorBody))
		}
		p.accept(rw, id, result{err: decodeError(doc, kind)}, http.StatusAccepted)
		return
	}
	p.accept(rw, id, result{response: body}, http.StatusAccepted)
}

// failure takes the error that an invocation ended with.
func (p *process) failure(rw http.ResponseWriter, req *http.Request) {
	doc, err := io.ReadAll(io.LimitReader(req.Body, maxPayload))
	if err != nil {
		return
	}
	fe := decodeError(doc, headerOr(req, errorType, typeUnknown))
	p.accept(rw, req.PathValue("id"), result{err: fe}, http.StatusAccepted)
}

// initError takes the reason why the process cannot serve at all.
func (p *process) initError(rw http.ResponseWriter, req *http.Request) {
	doc, err := io.ReadAll(io.LimitReader(req.Body, maxPayload))
	if err != nil {
		return
	}
	p.mu.Lock()
	asked := p.asked
	if !asked {
		p.initErr = decodeError(doc, headerOr(req, errorType, typeUnknown))
	}
	p.mu.Unlock()
	if asked {
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", "the initialisation is over")
		return
	}
	accepted(rw, http.StatusAccepted)
}

// accept settles an invocation, or refuses an answer that nobody waits for.
func (p *process) accept(rw http.ResponseWriter, id string, res result, status int) {
	if !p.finish(id, res) {
		refuse(rw, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	accepted(rw, status)
}

// accepted and refuse answer a process that may be gone meanwhile: whether it
// hears them changes nothing here.
func accepted(rw http.ResponseWriter, status int) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, `{"status":"OK"}`)
}

func refuse(rw http.ResponseWriter, status int, kind, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string]string{"errorType": kind, "errorMessage": message})
}

func headerOr(req *http.Request, name, fallback string) string {
	if v := req.Header.Get(name); v != "" {
		return v
	}
	return fallback
}
