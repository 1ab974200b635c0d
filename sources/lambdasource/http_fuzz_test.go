package lambdasource_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// inside decodes the value at a path of members as encoding/json does, with
// names as they are.
func inside[T any](payload []byte, path ...string) (v T) {
	for _, name := range path {
		var m map[string]json.RawMessage // a map, since a struct would match names in any case
		if json.Unmarshal(payload, &m) != nil {
			return v
		}
		payload = m[name]
	}
	_ = json.Unmarshal(payload, &v)
	return v
}

// referenceHTTP is the request in a payload as encoding/json sees it, as far as
// the gateway's versions say the same: method, body, query and headers.
func referenceHTTP(payload []byte) (method, body string, query url.Values, header http.Header) {
	header = http.Header{}
	values := inside[map[string][]string](payload, "multiValueHeaders")
	method = inside[string](payload, "httpMethod")
	v2 := inside[string](payload, "version") == "2.0"
	if v2 {
		method = inside[string](payload, "requestContext", "http", "method")
		query, _ = url.ParseQuery(inside[string](payload, "rawQueryString"))
	} else if query = inside[map[string][]string](payload, "multiValueQueryStringParameters"); query == nil {
		query = url.Values{}
		for name, value := range inside[map[string]string](payload, "queryStringParameters") {
			query.Set(name, value)
		}
	}
	if v2 || values == nil {
		values = map[string][]string{}
		for name, value := range inside[map[string]string](payload, "headers") {
			values[name] = []string{value}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			header.Add(name, value)
		}
	}
	if cookies := inside[[]string](payload, "cookies"); v2 && len(cookies) > 0 {
		header.Set("Cookie", strings.Join(cookies, "; "))
	}
	if header.Get("Host") != "" {
		header.Del("Host") // it is the request's
	}
	body = inside[string](payload, "body")
	if inside[bool](payload, "isBase64Encoded") {
		decoded, _ := base64.StdEncoding.DecodeString(body)
		body = string(decoded)
	}
	return method, body, query, header
}

// Whatever arrives, it is refused with a PayloadError, or it is the one request
// that encoding/json sees in it: same method, body, query and headers.
func FuzzHTTP(f *testing.F) {
	// Not the samples themselves: the fuzzer would spend its time on making
	// them shorter.
	f.Add([]byte(`{"httpMethod":"GET","path":"/%zz?"}`))
	f.Add([]byte(`{"version":"1.0","httpMethod":"POST","path":"/dev/a","multiValueHeaders":{"Host":["h"],"A":["1","2"],"a":["3"]},` +
		`"multiValueQueryStringParameters":{"q":["1","2"]},"requestContext":{"stage":"dev","path":"/dev/a","domainName":"x.execute-api.y"},"body":"{}"}`))
	f.Add([]byte(`{"version":"2.0","rawPath":"/dev/a%20b","rawQueryString":"a=1","cookies":["a=1","b=2"],"headers":{"a":"1,2"},"body":"e30=",` +
		`"isBase64Encoded":true,"requestContext":{"stage":"dev","domainName":"x.execute-api.y","http":{"method":"POST","protocol":"HTTP/1.1","sourceIp":"::1"}}}`))
	f.Add([]byte(`{"httpMethod":"POST","path":"/","headers":{"Idempotency-Key":"k","A":null},"queryStringParameters":{"q":"ä&=","":""},"body":null,"isBase64Encoded":false}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		intact := bytes.Clone(payload)
		got, err := ask(t, payload)
		if !bytes.Equal(payload, intact) {
			t.Fatal("the payload was changed")
		}
		if err != nil {
			if _, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || !reflect.DeepEqual(got, asked{}) {
				t.Fatalf("got %+v, %v, want a PayloadError alone", got, err)
			}
			return
		}
		method, body, query, header := referenceHTTP(payload)
		if got.Method != method || got.Body != body || int64(len(body)) != got.Length || !reflect.DeepEqual(got.Header, header) {
			t.Fatalf("%s:\n got %+v\nwant %s %q and %q", payload, got, method, body, header)
		}
		if decoded, _ := url.ParseQuery(got.Query); decoded.Encode() != query.Encode() {
			t.Fatalf("%s: got query %q, want %q", payload, got.Query, query)
		}
		if !strings.HasPrefix(got.Path, "/") || got.URI == "" {
			t.Fatalf("got %+v", got)
		}
		for name, values := range got.Header {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				t.Fatalf("got header %q: %q", name, values)
			}
		}
	})
}
