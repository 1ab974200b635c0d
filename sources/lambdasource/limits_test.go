package lambdasource_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

// A payload that is nested too deep to be read fails as a whole, nothing of it
// is handled; what is deep in a body concerns nobody.
func TestSQSDeep(t *testing.T) {
	const depth = 200_000
	deep := strings.Repeat("[", depth) + strings.Repeat("]", depth)
	for _, payload := range []string{
		`{"Records":[` + good + `,` + replaced(t, `"hello"`, deep) + `]}`,
		`{"Records":[` + good + `,` + replaced(t, `"awsRegion"`, `"x":`+deep+`,"awsRegion"`) + `]}`,
		`{"Records":[` + good + `],"more":` + deep + `}`, `{"Records":` + deep + `}`, strings.Repeat("[", depth), strings.Repeat(`{"Records":`, depth),
	} {
		j := new(journal)
		response, err := lambdasource.SQS(nil, j).Invoke(t.Context(), []byte(payload))
		if _, ok := errors.AsType[*lambdasource.PayloadError](err); !ok || response != nil || len(j.ran()) > 0 {
			t.Errorf("%.60s...: %s, %v with %d handled, want a PayloadError alone", payload, response, err, len(j.ran()))
		}
	}
	j := new(journal)
	want(t, "failed", failed(t, lambdasource.SQS(nil, j), batchOf(t, deep)))
	if len(j.ran()) != 1 {
		t.Errorf("ran %d, want the message with a deep body", len(j.ran()))
	}
}
