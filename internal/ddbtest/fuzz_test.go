package ddbtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// Whatever stands in an expression or a statement, the server answers: the
// parsers never panic but to refuse, and no item outgrows its key.
func FuzzExpressions(f *testing.F) {
	f.Add(`INSERT INTO "t" VALUE {'pk':?,'m':{'a':[1,-2,null,TRUE]}}`, `attribute_not_exists(pk) OR NOT #n = :v`, `SET a = if_not_exists(a, :v) + :v, b[0].c = :v REMOVE d ADD #n :v`)
	f.Add(`UPDATE "t" SET "a"=? REMOVE b.c[2] WHERE "pk"='k' AND ("x" IS NOT MISSING) RETURNING ALL NEW *`, `size(a) BETWEEN :v AND :v`, `SET a = list_append(a, :v)`)
	f.Add(`SELECT * FROM t WHERE pk IN ['a']`, `contains(a, :v) AND a IN (:v, b)`, `DELETE s :v`)
	f.Fuzz(func(t *testing.T, statement, condition, update string) {
		h := ddbtest.New(ddbtest.Options{}).Handler()
		send := func(op string, in any) {
			b, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(b)))
			r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %s: answer %q", op, b, w.Body)
			}
		}
		type m = map[string]any
		one := m{"N": "1"}
		send("CreateTable", m{
			"TableName": "tab", "KeySchema": []m{{"AttributeName": "pk", "KeyType": "HASH"}},
			"AttributeDefinitions": []m{{"AttributeName": "pk", "AttributeType": "S"}},
		})
		send("PutItem", m{"TableName": "tab", "Item": m{"pk": m{"S": "k"}, "a": m{"L": []m{one}}, "b": m{"M": m{}}}})
		send("ExecuteStatement", m{"Statement": strings.ReplaceAll(statement, `"t"`, `"tab"`), "Parameters": []m{{"S": "k"}}})
		names, values := m{"#n": "n"}, m{":v": one}
		send("UpdateItem", m{
			"TableName": "tab", "Key": m{"pk": m{"S": "k"}}, "UpdateExpression": update, "ConditionExpression": condition,
			"ExpressionAttributeNames": names, "ExpressionAttributeValues": values,
		})
		send("UpdateItem", m{"TableName": "tab", "Key": m{"pk": m{"S": "k"}}, "UpdateExpression": update})
		send("Scan", m{"TableName": "tab", "FilterExpression": condition})
	})
}
