package lambdasource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/sources"
	"github.com/onlyonce-go/onlyonce/sources/lambdasource"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What AWS sends becomes the records that the golden files hold.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("samples %q, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		got := decoded(t, name)
		golden := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s (%v):\n got %s\nwant %s", name, err, got, want)
		}
	}
}

// decoded returns the records of a sample as text.
func decoded(t *testing.T, name string) []byte {
	type shown struct {
		consumer.Record
		Body string // instead of base64
	}
	var records []shown
	collect := consumer.HandlerFunc(func(_ context.Context, rec *consumer.Record) error {
		records = append(records, shown{*rec, string(rec.Body)})
		return nil
	})
	one := lambdasource.Options{Concurrency: 1}
	var h lambda.Handler = lambdasource.SQS(nil, collect, one)
	switch {
	case name == "sqs_eventbridge":
		one.Decode = sources.EventBridge
		h = lambdasource.SQS(nil, collect, one)
	case !strings.HasPrefix(name, "sqs_"):
		h = lambdasource.EventBridge(nil, collect)
	}
	if _, err := h.Invoke(t.Context(), sample(t, name+".json")); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(records); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
