package lambdasource

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/internal/httpbuf"
	"github.com/onlyonce-go/onlyonce/sources"
)

// httpEvent is a request as API Gateway and function URLs tell it, in either
// version. What is a pointer tells apart null or nothing from a value.
type httpEvent struct {
	Version        string            `json:"version"`
	Headers        map[string]string `json:"headers"`
	Body           string            `json:"body"`
	Base64         jsontext.Value    `json:"isBase64Encoded"`
	RequestContext struct {
		RequestID  string `json:"requestId"`
		DomainName string `json:"domainName"`
		Stage      string `json:"stage"`
		Path       string `json:"path"`     // version 1.0, with the stage
		Protocol   string `json:"protocol"` // version 1.0
		Identity   struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"` // version 1.0
		HTTP struct {
			Method   string `json:"method"`
			Protocol string `json:"protocol"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"` // version 2.0
		ELB jsontext.Value `json:"elb"`
	} `json:"requestContext"`

	// Version 1.0.
	HTTPMethod        string              `json:"httpMethod"`
	Path              string              `json:"path"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Query             map[string]string   `json:"queryStringParameters"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters"`

	// Version 2.0.
	RawPath        string   `json:"rawPath"`
	RawQueryString *string  `json:"rawQueryString"`
	Cookies        []string `json:"cookies"`
}

const anHTTPRequest = "a request of API Gateway or a function URL"

// badHTTP is the failure of a payload that is no request.
func badHTTP(payload []byte, err error) *PayloadError {
	e := &PayloadError{
		Want: anHTTPRequest, Got: shape(payload), Err: err,
		Do: "let nothing but an API Gateway REST or HTTP API or a function URL invoke this function",
	}
	if e.Got == anObject {
		e.Got = "some other object"
	}
	return e
}

// readHTTP reads a payload. Members that mean nothing here are passed over,
// duplicates are not: two readers could see two different requests. The error
// is a [PayloadError].
func readHTTP(payload []byte) (*httpEvent, error) {
	e := new(httpEvent)
	if err := json.Unmarshal(payload, e); err != nil {
		return nil, badHTTP(payload, err)
	}
	if err := e.check(); err != nil {
		return nil, badHTTP(payload, err)
	}
	return e, nil
}

// v2 reports whether the payload is of version 2.0.
func (e *httpEvent) v2() bool { return e.Version == "2.0" }

// method returns the method of the request.
func (e *httpEvent) method() string {
	if e.v2() {
		return e.RequestContext.HTTP.Method
	}
	return e.HTTPMethod
}

// check finds fault with what a request cannot do without.
func (e *httpEvent) check() error {
	member := func(name string, err error) error {
		return &sources.EnvelopeError{Envelope: "HTTP request", Member: name, Err: err}
	}
	switch e.Version {
	case "", "1.0", "2.0":
	default:
		return member("version", fmt.Errorf("%w: want 1.0, 2.0 or none", sources.ErrBadMember))
	}
	method, methodName, path, pathName := e.method(), "httpMethod", e.Path, "path"
	if e.v2() {
		methodName, path, pathName = "requestContext.http.method", e.RawPath, "rawPath"
	}
	switch {
	case e.RequestContext.ELB != nil:
		return member("requestContext.elb", fmt.Errorf("%w: an Application Load Balancer sends something else", sources.ErrBadMember))
	case method == "":
		return member(methodName, sources.ErrNoMember)
	case !httpbuf.Sendable(method):
		return member(methodName, fmt.Errorf("%w: %q is no method", sources.ErrBadMember, method))
	case path == "":
		return member(pathName, sources.ErrNoMember)
	case path[0] != '/':
		return member(pathName, fmt.Errorf("%w: want a slash in front", sources.ErrBadMember))
	case e.v2() && e.RawQueryString == nil:
		return member("rawQueryString", sources.ErrNoMember)
	}
	switch string(e.Base64) {
	case "", "true", "false":
	default:
		return member("isBase64Encoded", fmt.Errorf("%w: want true or false", sources.ErrBadMember))
	}
	return nil
}

// request makes the request.
func (e *httpEvent) request(ctx context.Context) (*http.Request, error) {
	body := []byte(e.Body)
	if string(e.Base64) == "true" {
		var err error
		if body, err = base64.StdEncoding.Strict().DecodeString(e.Body); err != nil {
			return nil, &sources.EnvelopeError{Envelope: "HTTP request", Member: "body", Err: fmt.Errorf("%w: %w", sources.ErrBadMember, err)}
		}
	}
	header, err := e.header()
	if err != nil {
		return nil, err
	}
	c := &e.RequestContext
	protocol, address := c.Protocol, c.Identity.SourceIP
	if e.v2() {
		protocol, address = c.HTTP.Protocol, c.HTTP.SourceIP
	}
	in := (&http.Request{
		Method: e.method(), URL: e.url(), Host: c.DomainName, Header: header,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: net.JoinHostPort(address, "0"), // nobody tells the port
	}).WithContext(ctx)
	if major, minor, ok := http.ParseHTTPVersion(protocol); ok {
		in.Proto, in.ProtoMajor, in.ProtoMinor = protocol, major, minor
	}
	if host := header.Get("Host"); host != "" {
		in.Host = host
		header.Del("Host") // as net/http does
	}
	in.RequestURI = in.URL.RequestURI()
	return in, nil
}

var errHeader = errors.New("cannot be sent as a header")

// header returns the headers of the request. Several values of one come in the
// order in which the client sent them.
func (e *httpEvent) header() (http.Header, error) {
	all := e.MultiValueHeaders
	if e.v2() || all == nil {
		all = make(map[string][]string, len(e.Headers))
		for name, value := range e.Headers {
			all[name] = []string{value}
		}
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names) // for those that differ in case only
	h := make(http.Header, len(names))
	for _, name := range names {
		for _, value := range all[name] {
			if !httpbuf.Sendable(name) || strings.ContainsAny(value, "\r\n\x00") {
				return nil, &sources.EnvelopeError{Envelope: "HTTP request", Member: "headers", Err: fmt.Errorf("%w: %q %w", sources.ErrBadMember, name, errHeader)}
			}
			h.Add(name, value)
		}
	}
	if e.v2() && len(e.Cookies) > 0 {
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return h, nil
}

// url returns the target of the request, without the stage.
func (e *httpEvent) url() *url.URL {
	u, path := new(url.URL), e.Path
	if e.v2() {
		u.RawQuery, path = *e.RawQueryString, e.RawPath
	} else {
		u.RawQuery = e.query()
	}
	path = e.withoutStage(path)
	// Some payloads have the path as it was sent, some have it decoded: what
	// is no encoded path is taken as it is.
	if decoded, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = decoded, path
	} else {
		u.Path = path
	}
	return u
}

// query returns the query of a payload of version 1.0, which tells it decoded.
func (e *httpEvent) query() string {
	if e.MultiValueQuery != nil {
		return url.Values(e.MultiValueQuery).Encode()
	}
	values := make(url.Values, len(e.Query))
	for name, value := range e.Query {
		values.Set(name, value)
	}
	return values.Encode()
}

// withoutStage takes the stage off a path. HTTP APIs leave it there when they
// are called under their execute-api name; REST APIs do not, and tell the
// longer path in the request's context. Under a domain of your own the path is
// what the client sent.
func (e *httpEvent) withoutStage(path string) string {
	c := &e.RequestContext
	if c.Stage == "" || c.Stage == "$default" || !strings.Contains(c.DomainName, ".execute-api.") || !e.v2() && c.Path != path {
		return path
	}
	rest, found := strings.CutPrefix(path, "/"+c.Stage)
	switch {
	case found && rest == "":
		return "/"
	case found && rest[0] == '/':
		return rest
	}
	return path
}
