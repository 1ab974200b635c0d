package ddbtest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// request is one request as JSON and what is wanted of its answer: the type of
// its error, or some of its members.
type request struct {
	op, in    string
	want      string
	different string // why a real server is known to answer otherwise
}

// script is what each server is asked in turn. TABLE is the name of a table
// with the key pk.
func script() []request {
	long := strings.Repeat("x", 400<<10)
	statements := strings.Repeat(`{"Statement":"INSERT INTO \"TABLE\" VALUE {'pk':?}","Parameters":[{"S":"many"}]},`, 26)
	var members strings.Builder
	for i := range 101 {
		fmt.Fprintf(&members, `{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"many-%d"}}}},`, i)
	}
	return []request{
		{op: "CreateTable", in: `{"TableName":"TABLE","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}`, want: `{}`},
		{op: "CreateTable", in: `{"TableName":"TABLE","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}`, want: `ResourceInUseException`},
		{op: "DescribeTable", in: `{"TableName":"nowhere"}`, want: `ResourceNotFoundException`},

		// Conditional puts.
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"n":{"N":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}`, want: `{}`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"}},"ConditionExpression":"attribute_not_exists(pk)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`, want: `ConditionalCheckFailedException {"Item":{"pk":{"S":"a"},"n":{"N":"1"}}}`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"n":{"N":"2"}},"ConditionExpression":"#n = :one AND (pk <> :x OR NOT n > :one)","ExpressionAttributeNames":{"#n":"n"},"ExpressionAttributeValues":{":one":{"N":"1"},":x":{"S":"x"}}}`, want: `{}`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"}},"ConditionExpression":"n BETWEEN :a AND :b AND n IN (:a, :b) AND begins_with(pk, :p) AND attribute_type(n, :t) AND size(pk) = :a","ExpressionAttributeValues":{":a":{"N":"1"},":b":{"N":"9"},":p":{"S":"a"},":t":{"S":"N"}}}`, want: `ConditionalCheckFailedException`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"}},"ConditionExpression":"owner = :o","ExpressionAttributeValues":{":o":{"S":"o"}}}`, want: `ValidationException`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"}},"ConditionExpression":"pk = :o","ExpressionAttributeValues":{":o":{"S":"o"},":unused":{"S":"o"}}}`, want: `ValidationException`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"}},"ConditionExpression":"pk = :undefined"}`, want: `ValidationException`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":""}}}`, want: `ValidationException`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"N":"1"}}}`, want: `ValidationException`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"n":{"N":"1"}}}`, want: `ValidationException`},
		{op: "PutItem", in: `{"TableName":"TABLE","Item":{"pk":{"S":"a"},"long":{"S":"` + long + `"}}}`, want: `ValidationException`},

		// Updates.
		{op: "UpdateItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"u"}},"UpdateExpression":"SET c = if_not_exists(c, :zero) + :one, #s = :s ADD m :one REMOVE gone","ExpressionAttributeNames":{"#s":"state"},"ExpressionAttributeValues":{":zero":{"N":"41"},":one":{"N":"1"},":s":{"S":"new"}},"ReturnValues":"ALL_NEW"}`, want: `{"Attributes":{"pk":{"S":"u"},"c":{"N":"42"},"m":{"N":"1"},"state":{"S":"new"}}}`},
		{op: "UpdateItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"u"}},"UpdateExpression":"SET c = :one","ConditionExpression":"c < :one","ExpressionAttributeValues":{":one":{"N":"1"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`, want: `ConditionalCheckFailedException {"Item":{"pk":{"S":"u"},"c":{"N":"42"},"m":{"N":"1"},"state":{"S":"new"}}}`},
		{op: "UpdateItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"u"}},"UpdateExpression":"SET pk = :one","ExpressionAttributeValues":{":one":{"S":"1"}}}`, want: `ValidationException`},
		{op: "UpdateItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"u"}},"UpdateExpression":"SET c = missing + :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`, want: `ValidationException`},

		// Batches of statements.
		{op: "BatchExecuteStatement", in: `{"Statements":[{"Statement":"INSERT INTO \"TABLE\" VALUE {'pk':?,'v':1,'owner':?}","Parameters":[{"S":"p1"},{"S":"o"}]},{"Statement":"INSERT INTO \"TABLE\" VALUE {'pk':?}","Parameters":[{"S":"a"}],"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}]}`, want: `{"Responses":[{},{"Error":{"Code":"DuplicateItem"}}]}`},
		{op: "BatchExecuteStatement", in: `{"Statements":[{"Statement":"UPDATE \"TABLE\" SET \"owner\"=? SET \"w\"=? REMOVE \"v\" WHERE \"pk\"=? AND \"owner\"=?","Parameters":[{"S":"new"},{"N":"7"},{"S":"p1"},{"S":"o"}]},{"Statement":"UPDATE \"TABLE\" SET \"x\"=? WHERE \"pk\"=?","Parameters":[{"N":"1"},{"S":"nobody"}]}]}`, want: `{"Responses":[{},{"Error":{"Code":"ConditionalCheckFailed"}}]}`},
		{op: "GetItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"p1"}},"ConsistentRead":true}`, want: `{"Item":{"pk":{"S":"p1"},"owner":{"S":"new"},"w":{"N":"7"}}}`},
		{op: "BatchExecuteStatement", in: `{"Statements":[{"Statement":"UPDATE \"TABLE\" SET \"w\"=? WHERE \"pk\"=? AND \"owner\"=?","Parameters":[{"N":"8"},{"S":"p1"},{"S":"o"}],"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}]}`, want: `{"Responses":[{"Error":{"Code":"ConditionalCheckFailed","Item":{"pk":{"S":"p1"},"owner":{"S":"new"},"w":{"N":"7"}}}}]}`},
		{op: "BatchExecuteStatement", in: `{"Statements":[{"Statement":"INSERT INTO \"TABLE\" VALUE {'pk':?}","Parameters":[{"S":"twice"}]},{"Statement":"INSERT INTO \"TABLE\" VALUE {'pk':?}","Parameters":[{"S":"twice"}]}]}`, want: `ValidationException`, different: "ministack 1.5.33 takes a key twice"},
		{op: "BatchExecuteStatement", in: `{"Statements":[` + strings.TrimSuffix(statements, ",") + `]}`, want: `ValidationException`},
		{op: "BatchExecuteStatement", in: `{"Statements":[{"Statement":"SELECT * FROM \"TABLE\" WHERE \"pk\"='p1'"},{"Statement":"SELECT * FROM \"TABLE\" WHERE \"pk\"='nobody'"}]}`, want: `{"Responses":[{"Item":{"pk":{"S":"p1"},"owner":{"S":"new"},"w":{"N":"7"}}},{}]}`},
		{op: "ExecuteStatement", in: `{"Statement":"UPDATE \"TABLE\" SET w=9 WHERE pk='p1' AND w IN [7, 8] AND v IS MISSING RETURNING ALL NEW *"}`, want: `{"Items":[{"pk":{"S":"p1"},"owner":{"S":"new"},"w":{"N":"9"}}]}`},
		{op: "ExecuteStatement", in: `{"Statement":"INSERT INTO \"TABLE\" VALUE {'pk':'p1'}"}`, want: `DuplicateItemException`},
		{op: "ExecuteStatement", in: `{"Statement":"UPDATE \"TABLE\" SET w=9 WHERE pk=?","Parameters":[{"S":"nobody"}]}`, want: `ConditionalCheckFailedException`},
		{op: "ExecuteStatement", in: `{"Statement":"UPDATE \"TABLE\" SET w=9 WHERE w=9"}`, want: `ValidationException`},
		{op: "ExecuteStatement", in: `{"Statement":"SELEKT * FROM \"TABLE\" WHERE pk='p1'"}`, want: `ValidationException`},
		{op: "ExecuteStatement", in: `{"Statement":"DELETE FROM \"TABLE\" WHERE pk='p1'"}`, want: `{}`},

		// Transactions.
		{op: "TransactWriteItems", in: `{"ClientRequestToken":"TABLE-1","TransactItems":[{"Put":{"TableName":"TABLE","Item":{"pk":{"S":"t1"},"n":{"N":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}},{"Update":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}},{"ConditionCheck":{"TableName":"TABLE","Key":{"pk":{"S":"a"}},"ConditionExpression":"attribute_exists(pk)"}},{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"nobody"}}}}]}`, want: `{}`},
		{op: "TransactWriteItems", in: `{"ClientRequestToken":"TABLE-1","TransactItems":[{"Put":{"ConditionExpression":"attribute_not_exists(pk)","Item":{"n":{"N":"1"},"pk":{"S":"t1"}},"TableName":"TABLE"}},{"Update":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}},{"ConditionCheck":{"TableName":"TABLE","Key":{"pk":{"S":"a"}},"ConditionExpression":"attribute_exists(pk)"}},{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"nobody"}}}}]}`, want: `{}`},
		{op: "GetItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"ConsistentRead":true}`, want: `{"Item":{"pk":{"S":"t2"},"n":{"N":"1"}}}`},
		{op: "TransactWriteItems", in: `{"ClientRequestToken":"TABLE-1","TransactItems":[{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}}}}]}`, want: `IdempotentParameterMismatchException`},
		{op: "TransactWriteItems", in: `{"ClientRequestToken":"TABLE-2","TransactItems":[{"Update":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}},{"Put":{"TableName":"TABLE","Item":{"pk":{"S":"t1"}},"ConditionExpression":"attribute_not_exists(pk)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}},{"ConditionCheck":{"TableName":"TABLE","Key":{"pk":{"S":"a"}},"ConditionExpression":"attribute_not_exists(pk)"}},{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"nobody"}}}}]}`, want: `TransactionCanceledException {"CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"pk":{"S":"t1"},"n":{"N":"1"}}},{"Code":"ConditionalCheckFailed"},{"Code":"None"}]}`},
		{op: "GetItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"ConsistentRead":true}`, want: `{"Item":{"pk":{"S":"t2"},"n":{"N":"1"}}}`},
		{op: "TransactWriteItems", in: `{"ClientRequestToken":"TABLE-2","TransactItems":[{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"t1"}},"ConditionExpression":"n = :n","ExpressionAttributeValues":{":n":{"N":"1"}}}},{"Update":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"UpdateExpression":"SET #s = :s REMOVE n","ConditionExpression":"n = :n","ExpressionAttributeNames":{"#s":"state"},"ExpressionAttributeValues":{":n":{"N":"1"},":s":{"S":"new"}}}}]}`, want: `{}`},
		{op: "BatchGetItem", in: `{"RequestItems":{"TABLE":{"ConsistentRead":true,"Keys":[{"pk":{"S":"t1"}},{"pk":{"S":"t2"}}]}}}`, want: `{"Responses":{"TABLE":[{"pk":{"S":"t2"},"state":{"S":"new"}}]}}`},
		{op: "TransactWriteItems", in: `{"TransactItems":[{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}}}},{"ConditionCheck":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"ConditionExpression":"attribute_exists(pk)"}}]}`, want: `ValidationException`},
		{op: "TransactWriteItems", in: `{"TransactItems":[]}`, want: `ValidationException`},
		{op: "TransactWriteItems", in: `{"TransactItems":[` + strings.TrimSuffix(members.String(), ",") + `]}`, want: `ValidationException`},
		{op: "TransactWriteItems", in: `{"TransactItems":[{"Delete":{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"ConditionExpression":"pk ="}}]}`, want: `ValidationException`},
		{op: "TransactWriteItems", in: `{"TransactItems":[{"Delete":{"TableName":"nowhere","Key":{"pk":{"S":"t2"}}}}]}`, want: `ResourceNotFoundException`},
		{op: "DeleteItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"t2"}},"ReturnValues":"ALL_OLD"}`, want: `{"Attributes":{"pk":{"S":"t2"},"state":{"S":"new"}}}`},

		// Reads.
		{op: "BatchGetItem", in: `{"RequestItems":{"TABLE":{"ConsistentRead":true,"Keys":[{"pk":{"S":"u"}},{"pk":{"S":"nobody"}}],"ProjectionExpression":"pk, c"}}}`, want: `{"Responses":{"TABLE":[{"pk":{"S":"u"},"c":{"N":"42"}}]},"UnprocessedKeys":{}}`},
		{op: "BatchGetItem", in: `{"RequestItems":{"TABLE":{"Keys":[{"pk":{"S":"u"}},{"pk":{"S":"u"}}]}}}`, want: `ValidationException`},
		{op: "DeleteItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"u"}},"ConditionExpression":"#t < :n","ExpressionAttributeNames":{"#t":"ttl"},"ExpressionAttributeValues":{":n":{"N":"1"}}}`, want: `ConditionalCheckFailedException`},
		{op: "DeleteItem", in: `{"TableName":"TABLE","Key":{"pk":{"S":"u"}},"ReturnValues":"ALL_OLD"}`, want: `{"Attributes":{"pk":{"S":"u"},"c":{"N":"42"},"m":{"N":"1"},"state":{"S":"new"}}}`},
		{op: "Scan", in: `{"TableName":"TABLE","FilterExpression":"attribute_exists(n)","ProjectionExpression":"pk"}`, want: `{"Count":1,"Items":[{"pk":{"S":"a"}}]}`},
		{op: "DescribeTimeToLive", in: `{"TableName":"TABLE"}`, want: `{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}`},
		{op: "UpdateTimeToLive", in: `{"TableName":"TABLE","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}}`, want: `{}`},
		{op: "DescribeTimeToLive", in: `{"TableName":"TABLE"}`, want: `{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"ttl"}}`},
		{op: "DeleteTable", in: `{"TableName":"TABLE"}`, want: `{}`},
	}
}

// The server answers as DynamoDB documents it.
func TestAnswers(t *testing.T) {
	ts := httptest.NewServer(ddbtest.New(ddbtest.Options{}).Handler())
	defer ts.Close()
	for _, r := range script() {
		r.check(t, ts.URL, "table")
	}
}

// Another implementation gives the same answers, but where it is known to be
// wrong.
func TestEndpointAnswers(t *testing.T) {
	url := os.Getenv("ONLYONCE_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("ONLYONCE_DYNAMODB_ENDPOINT is not set: scripts/ministack.sh go test ./internal/ddbtest sets it")
	}
	table := "same-" + rand.Text()
	for _, r := range script() {
		if r.different != "" {
			t.Logf("%s: not compared: %s", r.op, r.different)
			continue
		}
		r.check(t, url, table)
	}
}

// check sends the request and compares its answer.
func (r request) check(t *testing.T, url, table string) {
	t.Helper()
	in, want := strings.ReplaceAll(r.in, "TABLE", table), strings.ReplaceAll(r.want, "TABLE", table)
	code, members, _ := strings.Cut(want, " ")
	if strings.HasPrefix(want, "{") {
		code, members = "", want
	}
	gotCode, got := post(t, url, r.op, in)
	if len(in) > 300 {
		in = in[:300] + "..."
	}
	if gotCode != code {
		t.Errorf("%s %s: %q %v, want %q", r.op, in, gotCode, got, code)
		return
	}
	if members == "" {
		return
	}
	var wanted map[string]any
	if err := json.Unmarshal([]byte(members), &wanted); err != nil {
		t.Fatal(err)
	}
	if !within(got, wanted) {
		t.Errorf("%s %s: %v, want %v", r.op, in, got, wanted)
	}
}

// within tells whether got has all members of want; items must be equal.
func within(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		for name, w := range want {
			if name == "Item" || name == "Items" || name == "Attributes" {
				ok = ok && reflect.DeepEqual(got[name], w)
			} else {
				ok = ok && within(got[name], w)
			}
		}
		return ok
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for i := range want {
			if w, isMap := want[i].(map[string]any); isMap && len(w) == 0 && hasError(got[i]) || !within(got[i], want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

func hasError(v any) bool {
	m, ok := v.(map[string]any)
	return ok && m["Error"] != nil
}

// post sends one request by hand and returns the type of the error, if it is
// one, and the answer.
func post(t *testing.T, url, op, in string) (code string, out map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, url, bytes.NewBufferString(in))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s: %v: %s", op, err, b)
	}
	if kind, ok := out["__type"].(string); ok {
		code = kind[strings.LastIndexByte(kind, '#')+1:]
	}
	return code, out
}
