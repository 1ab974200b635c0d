package emfobserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// extract does what CloudWatch Logs does with a line in the embedded metric
// format: it returns the values by namespace, dimensions and metric, or says
// which rule of the specification the line breaks. It is stricter than the
// service where that drops parts of a line in silence.
func extract(line []byte, now time.Time) (map[string]float64, error) {
	if n := bytes.Count(line, []byte("\n")); n != 1 || line[len(line)-1] != '\n' || len(line) > 1<<20 {
		return nil, errors.New("want one line of at most 1 MB")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	var meta struct {
		Timestamp         *int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct {
				Name, Unit        string
				StorageResolution *int
			}
		}
	}
	dec := json.NewDecoder(bytes.NewReader(members["_aws"]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&meta); err != nil {
		return nil, fmt.Errorf("_aws: %w", err)
	}
	if meta.Timestamp == nil {
		return nil, errors.New("no Timestamp")
	}
	if at := time.UnixMilli(*meta.Timestamp); at.After(now.Add(2*time.Hour)) || at.Before(now.Add(-14*24*time.Hour)) {
		return nil, fmt.Errorf("time %v is refused", at)
	}
	if len(meta.CloudWatchMetrics) == 0 {
		return nil, errors.New("no MetricDirective")
	}
	got := map[string]float64{}
	for _, d := range meta.CloudWatchMetrics {
		if n := len(d.Namespace); n < 1 || n > 255 || strings.HasPrefix(d.Namespace, "AWS/") {
			return nil, fmt.Errorf("namespace %q", d.Namespace)
		}
		if len(d.Dimensions) == 0 || len(d.Metrics) == 0 || len(d.Metrics) > 100 {
			return nil, fmt.Errorf("%d dimension sets and %d metrics", len(d.Dimensions), len(d.Metrics))
		}
		for _, set := range d.Dimensions {
			dims, err := dimensions(members, set)
			if err != nil {
				return nil, err
			}
			for _, m := range d.Metrics {
				var value *float64
				if err := json.Unmarshal(members[m.Name], &value); err != nil || value == nil || len(m.Name) > 1024 {
					return nil, fmt.Errorf("metric %q has no number: %w", m.Name, err)
				}
				if m.Unit != "" && !strings.Contains(units, " "+m.Unit+" ") {
					return nil, fmt.Errorf("unit %q", m.Unit)
				}
				if r := m.StorageResolution; r != nil && *r != 1 && *r != 60 {
					return nil, fmt.Errorf("storage resolution %d", *r)
				}
				got[d.Namespace+dims+" "+m.Name] += *value
			}
		}
	}
	return got, nil
}

// units are some of those that the service knows.
const units = " Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Percent Count Count/Second None "

func dimensions(members map[string]json.RawMessage, set []string) (string, error) {
	if len(set) > 30 {
		return "", fmt.Errorf("%d dimensions", len(set))
	}
	var text strings.Builder
	for _, name := range set {
		var value string
		if err := json.Unmarshal(members[name], &value); err != nil || len(name) < 1 || len(name) > 250 {
			return "", fmt.Errorf("dimension %q has no text: %w", name, err)
		}
		if strings.TrimSpace(value) == "" || len(value) > 1024 || value[0] == ':' {
			return "", fmt.Errorf("dimension %q is %q", name, value)
		}
		for _, r := range value {
			if r < ' ' || r > '~' {
				return "", fmt.Errorf("dimension %q is %q", name, value)
			}
		}
		text.WriteString(" " + name + "=" + value)
	}
	return text.String(), nil
}

// What judges the lines of the other tests refuses each kind of mistake.
func TestExtract(t *testing.T) {
	now := time.UnixMilli(1795263775000)
	good := `{"_aws":{"Timestamp":1795263775000,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["A","B"]],"Metrics":[{"Name":"M","Unit":"Count"}]}]},"A":"a","B":"b","M":7}` + "\n"
	if got, err := extract([]byte(good), now); err != nil || got["n A=a B=b M"] != 7 {
		t.Errorf("got %v, %v, want 7", got, err)
	}
	for _, c := range [][2]string{
		{"\n", ""}, {`{"_aws"`, "\n" + `{"_aws"`}, {`"_aws"`, `"aws"`}, {`"Timestamp":1795263775000,`, ``}, {`1795263775000`, `1795263775`},
		{`1795263775000`, `"1795263775000"`}, {`"Namespace":"n"`, `"Namespace":""`}, {`"n"`, `"AWS/n"`}, {`"Metrics"`, `"Metric"`},
		{`[["A","B"]]`, `["A","B"]`}, {`[["A","B"]]`, `[]`}, {`"A":"a"`, `"A":1`}, {`"A":"a",`, ``}, {`"a"`, `""`}, {`"a"`, `"ä"`}, {`"a"`, `":a"`},
		{`"M":7`, `"M":"7"`}, {`,"M":7`, ``}, {`"M":7`, `"M":null`}, {`"Count"`, `"Counts"`}, {`"Unit"`, `"Units"`}, {`[{"Namespace"`, `[],"x":[{"Namespace"`},
	} {
		bad := strings.Replace(good, c[0], c[1], 1)
		if bad == good {
			t.Fatalf("%q is not there", c[0])
		}
		if got, err := extract([]byte(bad), now); err == nil || errors.Is(err, io.EOF) && c[0] != `"_aws"` {
			t.Errorf("%s instead of %s: got %v, %v, want an error", c[1], c[0], got, err)
		}
	}
}
