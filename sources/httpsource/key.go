package httpsource

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// KeyHeader is the header that carries the key of a request.
const KeyHeader = "Idempotency-Key"

// maxKey is the length of the longest key.
const maxKey = 255

var errNoKey = errors.New("the request has no " + KeyHeader + " header")

// keyOf returns the key of a request: what is between the quotes of an
// sf-string (RFC 9651), or the whole of a bare value.
func keyOf(h http.Header) (string, error) {
	values := h[KeyHeader]
	switch len(values) {
	case 0:
		return "", errNoKey
	case 1:
	default:
		return "", fmt.Errorf("the request has %d %s headers", len(values), KeyHeader)
	}
	text := strings.Trim(values[0], " \t")
	var key string
	var err error
	if strings.HasPrefix(text, `"`) {
		key, err = unquote(text)
	} else {
		key, err = text, bare(text)
	}
	switch {
	case err != nil:
		return "", err
	case key == "":
		return "", errors.New("the key is empty")
	case len(key) > maxKey:
		return "", fmt.Errorf("the key has %d characters, more than %d", len(key), maxKey)
	}
	return key, nil
}

// unquote returns the text of an sf-string that is all there is: parameters
// mean nothing here and would only hide a mistake.
func unquote(text string) (string, error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"' && i < len(text)-1:
			return "", errors.New("something follows the closing quote of the key")
		case c == '"':
			return b.String(), nil
		case c == '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", errors.New("a backslash in the key is followed by neither a quote nor a backslash")
			}
			c = text[i]
		case c < ' ' || c > '~':
			return "", errors.New("the key has a character that is not printable ASCII")
		}
		b.WriteByte(c)
	}
	return "", errors.New("the closing quote of the key is missing")
}

// bare finds fault with a key without quotes. A comma is how two headers look
// when a proxy has joined them.
func bare(text string) error {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' || c == ',' {
			return fmt.Errorf("the key has the character %q, which needs quotes around the key or cannot be in one", c)
		}
	}
	return nil
}

// target returns the path and the query of a request as the client sent them:
// what stands around Once may have taken a prefix off the path, and another
// one from another request.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil { // as clients of a proxy send it
		return u.RequestURI()
	}
	return r.URL.RequestURI()
}

// fingerprint tells requests with one key apart: method, path and query,
// scope and body, each with its length.
func fingerprint(r *http.Request, scope string, body []byte) string {
	sum := sha256.New()
	var length [8]byte
	add := func(s string) {
		binary.BigEndian.PutUint64(length[:], uint64(len(s)))
		sum.Write(length[:])
		sum.Write([]byte(s))
	}
	add(r.Method)
	add(target(r))
	add(scope)
	sum.Write(body)
	return "h1:" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}
