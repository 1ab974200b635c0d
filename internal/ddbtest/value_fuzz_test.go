package ddbtest_test

import (
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/internal/ddbtest"
)

// conversation is a server with the table "tab" that is asked in JSON.
type conversation struct {
	t *testing.T
	h http.Handler
}

type object = map[string]any

func converse(t *testing.T) conversation {
	c := conversation{t, ddbtest.New(ddbtest.Options{}).Handler()}
	c.ask("CreateTable", object{
		"TableName": "tab", "KeySchema": []object{{"AttributeName": "pk", "KeyType": "HASH"}},
		"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}},
	})
	return c
}

// ask returns the answer, and the type of the error that it is, if it is one.
func (c conversation) ask(op string, in object) (answer object, refused string) {
	c.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(c.t.Context(), http.MethodPost, "/", strings.NewReader(string(b)))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		c.t.Fatalf("%s %s: answer %q: %v", op, b, w.Body, err)
	}
	kind, _ := answer["__type"].(string)
	if _, kind, _ = strings.Cut(kind, "#"); (kind != "") != (w.Code != http.StatusOK) || w.Code >= http.StatusInternalServerError {
		c.t.Fatalf("%s %s: status %d, %s", op, b, w.Code, w.Body)
	}
	return answer, kind
}

// decimal returns the number that DynamoDB reads in a text, nil for none: at
// most 38 significant digits and no more than about 1E+126 in size.
func decimal(text string) *big.Rat {
	parts := regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)(?:[eE][+-]?0*(\d{1,18}))?$`).FindStringSubmatch(text)
	if parts == nil || len(text) > 300 {
		return nil
	}
	digits, exponent := parts[1], parts[2]
	if strings.Trim(digits, "0.") == "" {
		return new(big.Rat) // whatever its exponent
	}
	if len(exponent) > 4 {
		return nil
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	if len(strings.Trim(strings.Replace(digits, ".", "", 1), "0")) > 38 {
		return nil
	}
	large, _ := new(big.Rat).SetString("1e126")
	small, _ := new(big.Rat).SetString("1e-130")
	if abs := new(big.Rat).Abs(r); abs.Cmp(large) >= 0 || r.Sign() != 0 && abs.Cmp(small) < 0 {
		return nil
	}
	return r
}

// A number is taken where DynamoDB takes it, however deep it stands, and is
// the same number when it is read; what is no number is refused wherever a
// request has one.
func FuzzNumber(f *testing.F) {
	for _, pair := range [][2]string{
		{"1", "2"}, {"-0.10", "1e2"}, {"9223372036854775808", "-1"}, {"1e125", "1E-130"}, {"1e126", ".5"}, {"0x1f", "1/3"}, {"1_000", "Inf"}, {"", "NaN"},
		{"12345678901234567890123456789012345678", "0.00000000000000000000000000000000000001"}, {"123456789012345678901234567890123456789", "5."}, {"0b1", "0x1p-2"}, {"٣", " 1"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, text, more string) {
		c := converse(t)
		n := func(s string) object { return object{"N": s} }
		want, add := decimal(text), decimal(more)
		for name, value := range map[string]object{
			"number": n(text), "in a list": {"L": []object{n("1"), n(text)}}, "in a map": {"M": object{"a": object{"L": []object{n(text)}}}}, "in a set": {"NS": []string{text}},
		} {
			_, refused := c.ask("PutItem", object{"TableName": "tab", "Item": object{"pk": object{"S": "k"}, "a": value}})
			if (refused == "") != (want != nil) {
				t.Fatalf("%q, %s: %q", text, name, refused)
			}
		}
		if want == nil {
			return
		}
		key := object{"pk": object{"S": "k"}}
		c.ask("PutItem", object{"TableName": "tab", "Item": object{"pk": object{"S": "k"}, "a": n(text), "l": object{"L": []object{n(text)}}}})
		var sum *big.Rat // nil where DynamoDB does not have it exactly
		if add != nil {
			exact := new(big.Rat).Add(want, add)
			if sum = decimal(exact.FloatString(130)); sum != nil && sum.Cmp(exact) != 0 {
				sum = nil
			}
		}
		for _, path := range []string{"a", "l[0]"} {
			_, refused := c.ask("UpdateItem", object{
				"TableName": "tab", "Key": key, "UpdateExpression": "ADD " + path + " :v", "ExpressionAttributeValues": object{":v": n(more)},
			})
			if add == nil && refused == "" || sum != nil && refused != "" {
				t.Fatalf("%q + %q: %q", text, more, refused)
			}
			answer, _ := c.ask("GetItem", object{"TableName": "tab", "Key": key})
			item := answer["Item"].(object)
			got := item["a"].(object)["N"].(string)
			if path != "a" {
				got = item["l"].(object)["L"].([]any)[0].(object)["N"].(string)
			}
			if is := decimal(got); is == nil || refused != "" && is.Cmp(want) != 0 || refused == "" && sum != nil && is.Cmp(sum) != 0 {
				t.Fatalf("%q + %q at %s: %q, got %s", text, more, path, refused, got)
			}
		}
	})
}

// What a condition says it says in an expression and in a statement: where
// both languages take it, both find that it holds of an item, or does not.
func FuzzConditions(f *testing.F) {
	for _, c := range []string{
		"a = :v", "NOT a <> :v AND (b.c[1] > :v OR attribute_exists(a))", "a BETWEEN :v AND :v", "size(b.c) <= :v", "contains(b.c, :v)", "a IN (:v, s)",
		"begins_with(s, :t) OR attribute_type(s, :t)", "attribute_not_exists(b.c[2]) AND s < :t", ":v = a", "a = a AND :t > s", "a <= :v AND a >= :v AND NOT a < :v", "s >= :t AND a IN (:v)",
	} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		if strings.ContainsAny(condition, `"'?#;{}-`) || strings.Contains(condition, "!=") {
			return // these mean something else in one of the two
		}
		used := regexp.MustCompile(`:[a-zA-Z0-9_]*`).FindAllString(condition, -1)
		values, params := object{}, []object{{"N": "1"}}
		for _, name := range used {
			v, known := map[string]object{":v": {"N": "1"}, ":t": {"S": "S"}}[name]
			if !known {
				return
			}
			values[name] = v
			params = append(params, v)
		}
		c := converse(t)
		one := object{"N": "1"}
		c.ask("PutItem", object{"TableName": "tab", "Item": object{"pk": object{"S": "k"}, "a": one, "s": object{"S": "Stu"}, "b": object{"M": object{"c": object{"L": []object{one, {"N": "2"}}}}}}})
		in := object{"TableName": "tab", "Key": object{"pk": object{"S": "k"}}, "UpdateExpression": "SET z = :one", "ConditionExpression": condition}
		values[":one"] = one
		in["ExpressionAttributeValues"] = values
		_, expression := c.ask("UpdateItem", in)
		where := regexp.MustCompile(`:[a-zA-Z0-9_]*`).ReplaceAllString(condition, "?")
		_, statement := c.ask("ExecuteStatement", object{"Statement": `UPDATE "tab" SET z = ? WHERE pk = 'k' AND (` + where + `)`, "Parameters": params})
		const invalid = "ValidationException"
		if expression != invalid && statement != invalid && expression != statement {
			t.Fatalf("%q: %q as an expression, %q in a statement", condition, expression, statement)
		}
	})
}
