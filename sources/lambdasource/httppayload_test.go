package lambdasource_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// A payload that is no request fails the invocation with a PayloadError, and
// the handler does not run.
func TestHTTPPayload(t *testing.T) {
	v1 := func(rest string) string { return `{"httpMethod":"POST","path":"/","requestContext":{}` + rest + `}` }
	v2 := func(rest string) string {
		return `{"version":"2.0","rawPath":"/","rawQueryString":"","requestContext":{"http":{"method":"POST"}}` + rest + `}`
	}
	for _, ok := range []string{v1(""), v2(""), v1(`,"headers":null,"body":null,"isBase64Encoded":false`), v2(`,"isBase64Encoded":true`)} {
		if got, err := ask(t, []byte(ok)); err != nil || got.Method != http.MethodPost || got.Path != "/" {
			t.Errorf("%s: got %+v, %v", ok, got, err)
		}
	}
	for name, payload := range map[string]string{
		"empty":              "",
		"text":               `"POST"`,
		"SQS":                string(sample(t, "sqs_standard.json")),
		"EventBridge":        string(sample(t, "eventbridge_rule.json")),
		"behind it":          v1("") + "{}",
		"duplicate member":   v1(`,"path":"/"`),
		"duplicate header":   v2(`,"headers":{"a":"1","a":"2"}`),
		"load balancer":      `{"httpMethod":"POST","path":"/","requestContext":{"elb":{"targetGroupArn":"x"}}}`,
		"web socket":         `{"requestContext":{"routeKey":"$connect","eventType":"CONNECT","connectionId":"c"},"isBase64Encoded":false}`,
		"version":            v1(`,"version":"3.0"`),
		"no method":          `{"path":"/","requestContext":{}}`,
		"no path":            `{"httpMethod":"POST","requestContext":{}}`,
		"relative path":      `{"httpMethod":"POST","path":"orders"}`,
		"broken method":      `{"httpMethod":"PO ST","path":"/"}`,
		"v2 without method":  `{"version":"2.0","rawPath":"/","rawQueryString":"","httpMethod":"POST","requestContext":{}}`,
		"v2 without path":    `{"version":"2.0","path":"/","rawQueryString":"","requestContext":{"http":{"method":"POST"}}}`,
		"v2 without query":   `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"POST"}}}`,
		"base64 null":        v1(`,"isBase64Encoded":null`),
		"base64 text":        v1(`,"isBase64Encoded":"true"`),
		"no base64":          v1(`,"body":"{}","isBase64Encoded":true`),
		"body no text":       v1(`,"body":{}`),
		"header no text":     v2(`,"headers":{"a":["b"]}`),
		"header with lines":  v2(`,"headers":{"a":"b\r\nc"}`),
		"header with blanks": v1(`,"multiValueHeaders":{"a b":["c"]}`),
		"invalid UTF-8":      v1(",\"body\":\"\xff\""),
	} {
		got, err := ask(t, []byte(payload))
		if _, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || !reflect.DeepEqual(got, asked{}) {
			t.Errorf("%s: got %+v, %v, want a PayloadError alone", name, got, err)
		} else if !strings.Contains(err.Error(), "want a request of API Gateway") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := ask(t, []byte(`{"path":"/"}`))
	if ee, ok := errors.AsType[*sources.EnvelopeError](err); !ok || ee.Member != "httpMethod" || !errors.Is(err, sources.ErrNoMember) {
		t.Errorf("got %v, want that it names the member", err)
	}
}

// Headers whose names differ in case only are one header with several values,
// always in the same order: a key that is there twice is not taken for one.
func TestHTTPHeaderCase(t *testing.T) {
	for range 50 {
		got, err := ask(t, []byte(`{"httpMethod":"POST","path":"/","headers":{"idempotency-key":"a"},
			"multiValueHeaders":{"idempotency-key":["c"],"Idempotency-Key":["a"],"IDEMPOTENCY-KEY":["b"]}}`))
		if want := []string{"b", "a", "c"}; err != nil || !slices.Equal(got.Header["Idempotency-Key"], want) {
			t.Fatalf("got %q, %v, want %q", got.Header, err, want)
		}
	}
}

// What the event types of aws-lambda-go write is read.
func TestHTTPEventTypes(t *testing.T) {
	for _, e := range []any{
		events.APIGatewayProxyRequest{HTTPMethod: "POST", Path: "/orders", Headers: map[string]string{"Idempotency-Key": "k"}, Body: "{}"},
		events.APIGatewayV2HTTPRequest{
			Version: "2.0", RawPath: "/orders", Headers: map[string]string{"idempotency-key": "k"}, Body: "{}",
			RequestContext: events.APIGatewayV2HTTPRequestContext{HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "POST"}},
		},
		events.LambdaFunctionURLRequest{
			Version: "2.0", RawPath: "/orders", Headers: map[string]string{"idempotency-key": "k"}, Body: "{}",
			RequestContext: events.LambdaFunctionURLRequestContext{HTTP: events.LambdaFunctionURLRequestContextHTTPDescription{Method: "POST"}},
		},
	} {
		payload, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(t, payload); err != nil || got.Path != "/orders" || got.Body != "{}" || got.Header.Get("Idempotency-Key") != "k" {
			t.Errorf("%T: got %+v, %v", e, got, err)
		}
	}
}

// A sample that is cut off anywhere is refused; with a member removed, null or
// of another type, it is refused or it is a request for the same thing: no
// other method, path or key, and no key twice.
func TestHTTPDamaged(t *testing.T) {
	for _, name := range httpSamples {
		payload := bytes.TrimSpace(httpSample(t, name))
		whole, err := ask(t, payload)
		if err != nil {
			t.Fatal(err)
		}
		for n := range payload {
			if got, err := ask(t, payload[:n]); err == nil {
				t.Fatalf("%s cut off at %d: got %+v", name, n, got)
			}
		}
		read, refused := 0, 0
		damage(t, payload, func(what string, damaged []byte) {
			got, err := ask(t, damaged)
			_, typed := errors.AsType[*lambdasource.PayloadError](err)
			switch {
			case typed:
				refused++
				return
			case err != nil:
				t.Errorf("%s with %s: got %v, want a PayloadError", name, what, err)
				return
			}
			read++
			keys := got.Header["Idempotency-Key"]
			sameKey := len(keys) == 0 || slices.Equal(keys, whole.Header["Idempotency-Key"]) || slices.Equal(keys, []string{""})
			// Without the host or the stage nobody knows what was to be taken off.
			samePath := got.Path == whole.Path || strings.HasPrefix(what, "requestContext") && got.Path == "/dev/orders"
			if got.Method != whole.Method || !samePath || !sameKey {
				t.Errorf("%s with %s: got %+v", name, what, got)
			}
		})
		if read == 0 || refused == 0 {
			t.Errorf("%s: %d read, %d refused", name, read, refused)
		}
	}
}

// damage tells f of every sample with one member, at any depth, removed, null
// or of another type.
func damage(t *testing.T, payload []byte, f func(what string, damaged []byte)) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(payload, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, object map[string]any)
	walk = func(path string, object map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(object)) {
			intact := object[name]
			for how, other := range map[string]any{"null": nil, "number": 7, "text": "x", "list": []any{}, "object": map[string]any{}} {
				if reflect.TypeOf(other) == reflect.TypeOf(intact) {
					continue
				}
				object[name] = other
				damaged, _ := json.Marshal(root)
				f(path+name+" "+how, damaged)
			}
			delete(object, name)
			damaged, _ := json.Marshal(root)
			f(path+name+" removed", damaged)
			object[name] = intact
			if inner, ok := intact.(map[string]any); ok {
				walk(path+name+".", inner)
			}
		}
	}
	walk("", root)
}
