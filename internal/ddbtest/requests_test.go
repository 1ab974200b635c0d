package ddbtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// served are those that the server knows.
func served() []string {
	return []string{
		"CreateTable", "DeleteTable", "DescribeTable", "UpdateTimeToLive", "DescribeTimeToLive", "PutItem", "GetItem", "UpdateItem",
		"DeleteItem", "Scan", "BatchGetItem", "TransactWriteItems", "ExecuteStatement", "BatchExecuteStatement", "Query",
	}
}

// Whatever the bytes of a request, the server answers in JSON, an error with
// its type, and never panics.
func FuzzRequests(f *testing.F) {
	for i := range served() {
		f.Add(uint8(i), []byte(`{"TableName":"tab","Key":{"pk":{"S":"k"}},"Item":{"pk":{"S":"k"}}}`))
	}
	f.Add(uint8(5), []byte(`{"TableName":"tab","Item":{"pk":{"S":"k","N":"1"},"a":{"M":{"b":{"L":[{}]}}},"c":{"NS":["1","01"]},"d":{"N":"1e999"}}}`))
	f.Add(uint8(0), []byte(`{"TableName":"t2","KeySchema":[{}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"X"}]}`))
	f.Add(uint8(10), []byte(`{"RequestItems":{"tab":{"Keys":[{"pk":{"S":"k"}},{"pk":{"S":"k"}},{},null]}}}`))
	f.Add(uint8(11), []byte(`{"TransactItems":[{},{"Put":{"TableName":"tab","Item":{}}},{"Put":null,"Delete":{}}]}`))
	f.Add(uint8(13), []byte(`{"Statements":[{"Statement":"INSERT INTO \"tab\" VALUE {'pk':?}","Parameters":[{"S":"k"}]},{},null]}`))
	f.Add(uint8(13), []byte(`{"Statements":[{"Statement":"UPDATE \"tab\" SET \"a\"=? WHERE \"pk\"=?","Parameters":[null]}]}`))
	f.Add(uint8(7), []byte(`[[[[`))
	f.Add(uint8(9), []byte("\xff{}"))
	f.Fuzz(func(t *testing.T, number uint8, body []byte) {
		h := ddbtest.New(ddbtest.Options{}).Handler()
		send := func(op, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		send("CreateTable", `{"TableName":"tab","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],`+
			`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}`)
		op := served()[int(number)%len(served())]
		for range 2 { // the second finds what the first left
			w := send(op, string(body))
			var answer map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%s %q: answer %q: %v", op, body, w.Body, err)
			}
			if code, _ := answer["__type"].(string); w.Code >= http.StatusInternalServerError || w.Code != http.StatusOK && code == "" {
				t.Errorf("%s %q: status %d, %q", op, body, w.Code, w.Body)
			}
		}
	})
}
