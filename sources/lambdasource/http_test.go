package lambdasource_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/sources/httpsource"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// httpSamples are requests for the same order by all the ways there are.
var httpSamples = []string{"rest", "httpapi_v1", "httpapi_v2", "functionurl"}

func httpSample(t testing.TB, name string) []byte { return sample(t, "http/"+name+".json") }

// asked is what a handler sees of a request.
type asked struct {
	Method, URI, Path, Query, Host, Address, Proto string
	Header                                         http.Header
	Body                                           string
	Length                                         int64
}

// ask returns what a handler sees of the request in payload.
func ask(t testing.TB, payload []byte) (asked, error) {
	t.Helper()
	var got asked
	_, err := lambdasource.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = asked{r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr, r.Proto, r.Header, string(body), r.ContentLength}
	})).Invoke(t.Context(), payload)
	return got, err
}

// Every way in gives a handler the request as the client sent it: body and
// query decoded once, several values of a header, cookies, no stage.
func TestHTTPRequest(t *testing.T) {
	const gateway = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
	body := `{"order_id":"o-1","note":"Grüße"}`
	for _, name := range httpSamples {
		got, err := ask(t, httpSample(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		header := http.Header{}
		for name, value := range map[string]string{
			"Accept": "*/*", "Content-Type": "application/json", "Idempotency-Key": `"8f1c"`, "User-Agent": "shop/1.0",
			"X-Amzn-Trace-Id": "Root=1-6920a1b2-0123456789abcdef01234567", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Port": "443",
			"X-Forwarded-Proto": "https", "Cookie": "session=1; theme=dark",
		} {
			header.Set(name, value)
		}
		want := asked{
			Method: "POST", Path: "/orders", Query: "dry_run=1&tag=a&tag=b+c", Host: gateway, Address: "203.0.113.7:0",
			Proto: "HTTP/1.1", Header: header, Body: body, Length: int64(len(body)),
		}
		header["X-Tag"] = []string{"a", "b"}
		if name == "httpapi_v2" || name == "functionurl" {
			want.Query = "dry_run=1&tag=a&tag=b%20c"
			header["X-Tag"] = []string{"a,b"}
			header.Set("Content-Length", "35")
		}
		if name == "functionurl" {
			want.Host = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws"
		}
		want.URI = "/orders?" + want.Query
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

// The stage is taken off where the gateway has put it, and nowhere else; a
// path is the same, encoded or decoded.
func TestHTTPPath(t *testing.T) {
	const gateway, own = "id.execute-api.eu-central-1.amazonaws.com", "api.example.com"
	for _, c := range []struct{ version, host, stage, path, contextPath, want, uri string }{
		{"2.0", gateway, "dev", "/dev/orders", "", "/orders", "/orders"},
		{"2.0", gateway, "dev", "/dev", "", "/", "/"},
		{"2.0", gateway, "dev", "/dev/", "", "/", "/"},
		{"2.0", gateway, "dev", "/development", "", "/development", "/development"},
		{"2.0", gateway, "$default", "/orders", "", "/orders", "/orders"},
		{"2.0", gateway, "dev", "/dev/dev", "", "/dev", "/dev"},
		{"2.0", own, "orders", "/orders", "", "/orders", "/orders"},
		{"1.0", gateway, "dev", "/dev/orders", "/dev/orders", "/orders", "/orders"},
		{"", gateway, "orders", "/orders", "/orders/orders", "/orders", "/orders"},
		{"", own, "prod", "/v1/orders", "/v1/orders", "/v1/orders", "/v1/orders"},
		{"2.0", own, "x", "/a%2Fb", "", "/a/b", "/a%2Fb"},
		{"2.0", own, "x", "/a%20b", "", "/a b", "/a%20b"},
		{"2.0", own, "x", "/a b", "", "/a b", "/a%20b"},
		{"2.0", own, "x", "/100%", "", "/100%", "/100%25"},
		{"2.0", own, "x", "/ä?", "", "/ä?", "/%C3%A4%3F"},
	} {
		payload, err := json.Marshal(map[string]any{
			"version": c.version, "rawPath": c.path, "path": c.path, "rawQueryString": "", "httpMethod": "GET",
			"requestContext": map[string]any{"domainName": c.host, "stage": c.stage, "path": c.contextPath, "http": map[string]any{"method": "GET"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(t, payload); err != nil || got.Path != c.want || got.URI != c.uri {
			t.Errorf("%+v: got %q, %q, %v", c, got.Path, got.URI, err)
		}
	}
}

// answered is what a gateway makes of a response.
type answered struct {
	StatusCode        int
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Cookies           []string
	Body              string
	IsBase64Encoded   bool
}

// invoke handles a payload and returns the response.
func invokeHTTP(t testing.TB, h *lambdasource.HTTPHandler, payload []byte) answered {
	t.Helper()
	response, err := h.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var a answered
	dec := json.NewDecoder(bytes.NewReader(response))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		t.Fatalf("%v in %s", err, response)
	}
	return a
}

// A response is told in the version of its request: several values, cookies,
// a body that is no text.
func TestHTTPResponse(t *testing.T) {
	for _, body := range []string{"Grüße\n\x00", "\xff\xfe", ""} {
		h := lambdasource.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2, 3")
			w.Header().Add("Vary", "Accept")
			w.Header().Add("Vary", "Origin")
			w.Header().Set("X-Broken", "\xff")
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, body)
		}))
		for _, name := range httpSamples {
			a := invokeHTTP(t, h, httpSample(t, name))
			want := answered{StatusCode: http.StatusAccepted, Body: body}
			if body == "\xff\xfe" {
				want.Body, want.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(body)), true
			}
			if name == "rest" || name == "httpapi_v1" {
				want.MultiValueHeaders = map[string][]string{
					"Content-Type": {"text/plain"}, "Set-Cookie": {"a=1", "b=2, 3"}, "Vary": {"Accept", "Origin"}, "X-Broken": {"\ufffd"},
				}
			} else {
				want.Headers = map[string]string{"Content-Type": "text/plain", "Vary": "Accept, Origin", "X-Broken": "\ufffd"}
				want.Cookies = []string{"a=1", "b=2, 3"}
			}
			if !reflect.DeepEqual(a, want) {
				t.Errorf("%s: got %+v, want %+v", name, a, want)
			}
		}
	}
}

// A HEAD request is answered without the body that the handler writes.
func TestHTTPHead(t *testing.T) {
	h := lambdasource.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "body") }))
	for _, name := range httpSamples {
		if a := invokeHTTP(t, h, bytes.ReplaceAll(httpSample(t, name), []byte(`"POST"`), []byte(`"HEAD"`))); a.Body != "" || a.StatusCode != http.StatusOK {
			t.Errorf("%s: got %+v", name, a)
		}
	}
}

// The same request by the same way runs once; another body under its key is
// refused. The scope can be taken from what the gateway says of the caller.
func TestHTTPOnce(t *testing.T) {
	scope := func(r *http.Request) (string, error) {
		payload, ok := lambdasource.HTTPEvent(r.Context())
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &e); err != nil || !ok {
			return "", errors.New("no event")
		}
		if a := e.RequestContext.Authorizer; a != nil {
			return a.JWT.Claims["sub"], nil
		}
		return "anybody", nil
	}
	for _, name := range httpSamples {
		runs := 0
		h := lambdasource.HTTP(httpsource.Once(newGuard(dedupe.Options{}), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			runs++
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "run %d", runs)
		}), httpsource.Options{Scope: scope}))
		payload := httpSample(t, name)
		for i, status := range []int{http.StatusCreated, http.StatusCreated, http.StatusUnprocessableEntity, http.StatusCreated} {
			if i == 2 {
				payload = bytes.Replace(payload, []byte("dry_run"), []byte("wet_run"), 1)
				payload = bytes.Replace(payload, []byte(`"multiValueQueryStringParameters": {
    "dry_run"`), []byte(`"multiValueQueryStringParameters": {
    "wet_run"`), 1)
			}
			if i == 3 { // another caller
				payload = bytes.Replace(payload, []byte("user-1"), []byte("user-2"), 1)
			}
			a := invokeHTTP(t, h, payload)
			if i == 3 && name != "httpapi_v2" {
				status = http.StatusUnprocessableEntity
			}
			if a.StatusCode != status {
				t.Errorf("%s %d: got %+v, want %d", name, i, a, status)
			}
			if text := a.Headers["Idempotency-Replayed"] + strings.Join(a.MultiValueHeaders["Idempotency-Replayed"], ""); (text == "true") != (i == 1) {
				t.Errorf("%s %d: replayed %q", name, i, text)
			}
		}
	}
}

// The request's context ends before the function's deadline, early enough for
// an answer.
func TestHTTPReserve(t *testing.T) {
	for _, c := range []struct{ reserve, left, want time.Duration }{
		{0, 29 * time.Second, 26100 * time.Millisecond},
		{0, 3 * time.Second, 2500 * time.Millisecond},
		{0, 15 * time.Minute, 15*time.Minute - 5*time.Second},
		{0, 600 * time.Millisecond, 300 * time.Millisecond},
		{2 * time.Second, 29 * time.Second, 27 * time.Second},
		{0, 0, 0}, // no deadline
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.left > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.left)
			}
			defer cancel()
			begun := time.Now()
			h := lambdasource.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				deadline, ok := r.Context().Deadline()
				if ok != (c.left > 0) || ok && deadline.Sub(begun) != c.want {
					t.Errorf("%+v: got %v, %v", c, deadline.Sub(begun), ok)
				}
			}), lambdasource.HTTPOptions{Reserve: c.reserve})
			if _, err := h.Invoke(ctx, httpSample(t, "rest")); err != nil {
				t.Error(err)
			}
		})
	}
}

// A panic of the handler is an error of the invocation, and the next one goes
// on.
func TestHTTPPanic(t *testing.T) {
	panics := true
	h := lambdasource.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if panics {
			panic("no")
		}
	}))
	response, err := h.Invoke(t.Context(), httpSample(t, "rest"))
	if p, ok := errors.AsType[*consumer.PanicError](err); !ok || p.Value != "no" || response != nil || !strings.Contains(err.Error(), "11111111-2222-3333-4444-555555555555") {
		t.Errorf("got %s, %v", response, err)
	}
	panics = false
	if a := invokeHTTP(t, h, httpSample(t, "rest")); a.StatusCode != http.StatusOK {
		t.Errorf("got %+v", a)
	}
}

// Mistakes in wiring panic at construction, and a context from elsewhere has
// no event.
func TestHTTPWiring(t *testing.T) {
	none := http.NotFoundHandler()
	for name, f := range map[string]func(){
		"handler": func() { lambdasource.HTTP(nil) },
		"options": func() { lambdasource.HTTP(none, lambdasource.HTTPOptions{}, lambdasource.HTTPOptions{}) },
		"reserve": func() { lambdasource.HTTP(none, lambdasource.HTTPOptions{Reserve: -1}) },
	} {
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.HasPrefix(v, "lambdasource: HTTP") {
					t.Errorf("%s: got panic %q", name, v)
				}
			}()
			f()
		}()
	}
	if _, ok := lambdasource.HTTPEvent(t.Context()); ok {
		t.Error("an event without a request")
	}
}
