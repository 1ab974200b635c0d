package lambdasource

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/onlyonce-go/onlyonce/internal/httpbuf"
)

// httpResponse is a response in either version.
type httpResponse struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers,omitempty"`           // version 2.0
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"` // version 1.0
	Cookies           []string            `json:"cookies,omitempty"`           // version 2.0
	Body              string              `json:"body"`
	Base64            bool                `json:"isBase64Encoded"`
}

// response returns the response in the version of the payload.
func (e *httpEvent) response(r *httpbuf.Response) ([]byte, error) {
	out := httpResponse{StatusCode: r.Status}
	if e.v2() {
		out.Headers = make(map[string]string, len(r.Header))
		for name, values := range r.Header {
			if http.CanonicalHeaderKey(name) == "Set-Cookie" { // cannot be joined
				out.Cookies = append(out.Cookies, values...)
			} else if len(values) > 0 {
				out.Headers[name] = strings.Join(values, ", ")
			}
		}
	} else {
		out.MultiValueHeaders = r.Header
	}
	body := r.Body
	if e.method() == http.MethodHead {
		body = nil
	}
	if utf8.Valid(body) {
		out.Body = string(body)
	} else {
		out.Body, out.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
	response, err := json.Marshal(out, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, fmt.Errorf("lambdasource: response: %w", err)
	}
	return response, nil
}
