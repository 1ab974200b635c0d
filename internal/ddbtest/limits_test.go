package ddbtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// ask sends one request to a server with the table "tab" and returns the type
// of the error, empty for none.
func ask(t *testing.T, op, body string) string {
	t.Helper()
	h := ddbtest.New(ddbtest.Options{}).Handler()
	send := func(op, body string) map[string]any {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: answer %.200q: %v", op, w.Body, err)
		}
		return answer
	}
	send("CreateTable", `{"TableName":"tab","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],`+
		`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}`)
	kind, _ := send(op, body)["__type"].(string)
	_, kind, _ = strings.Cut(kind, "#")
	return kind
}

// An expression is at most 4 KB long (Amazon DynamoDB, expression limits), a
// statement 8 KB: what is nested without end in them is refused.
func TestExpressionLength(t *testing.T) {
	const most = 4096
	condition := func(n int) string { return strings.Repeat("(", n) + "attribute_not_exists(a)" + strings.Repeat(")", n) }
	put := func(condition string) string {
		return `{"TableName":"tab","Item":{"pk":{"S":"k"}},"ConditionExpression":"` + condition + `"}`
	}
	longest := condition((most - len(condition(0))) / 2)
	longest += strings.Repeat(" ", most-len(longest))
	for name, c := range map[string]struct{ op, body, want string }{
		"longest condition": {"PutItem", put(longest), ""},
		"one more":          {"PutItem", put(longest + " "), "ValidationException"},
		"parentheses":       {"PutItem", put(condition(5_000_000)), "ValidationException"},
		"NOT":               {"PutItem", put(strings.Repeat("NOT ", 3_000_000) + "a = b"), "ValidationException"},
		"OR":                {"PutItem", put(strings.Repeat("attribute_exists(a) OR ", 600_000) + "a = b"), "ValidationException"},
		"filter":            {"Scan", `{"TableName":"tab","FilterExpression":"` + condition(5_000_000) + `"}`, "ValidationException"},
		"update":            {"UpdateItem", `{"TableName":"tab","Key":{"pk":{"S":"k"}},"UpdateExpression":"SET a = ` + strings.Repeat("if_not_exists(a, ", 600_000) + `"}`, "ValidationException"},
		"projection":        {"GetItem", `{"TableName":"tab","Key":{"pk":{"S":"k"}},"ProjectionExpression":"a` + strings.Repeat("[0]", most) + `"}`, "ValidationException"},
		"transaction": {"TransactWriteItems", `{"TransactItems":[{"ConditionCheck":{"TableName":"tab","Key":{"pk":{"S":"k"}},"ConditionExpression":"` +
			condition(5_000_000) + `"}}]}`, "ValidationException"},
		"statement": {"ExecuteStatement", `{"Statement":"INSERT INTO tab VALUE {'pk':` + strings.Repeat("[", 5_000_000) + `}"}`, "ValidationException"},
		"values":    {"PutItem", `{"TableName":"tab","Item":{"pk":{"S":"k"},"a":` + strings.Repeat(`{"M":{"a":`, 100_000) + `{"S":"x"}` + strings.Repeat("}}", 100_000) + `}}`, "SerializationException"},
		"arrays":    {"PutItem", strings.Repeat("[", 5_000_000), "SerializationException"},
	} {
		if got := ask(t, c.op, c.body); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
