package loadserver

import (
	"bytes"
	"crypto/md5" //nolint:gosec // SQS sends it and its clients check it
	"encoding/hex"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
)

const (
	digits       = 16  // of a message's number in its id and its receipt handle
	handleLength = 184 // as long as handles of SQS are
)

// message is what all messages have in common, as parts of their JSON.
type message struct {
	handle string // what follows the number in a receipt handle
	rest   string // what follows the receipt handle
}

// attributes are the system attributes of every message.
func attributes() [4][2]string {
	return [...][2]string{
		{"SenderId", "AIDAEXAMPLEEXAMPLE"}, {"ApproximateFirstReceiveTimestamp", "1700000000100"},
		{"ApproximateReceiveCount", "1"}, {"SentTimestamp", "1700000000000"},
	}
}

// newMessage makes messages with a JSON body of that many bytes.
func newMessage(size int) message {
	const begin, end = `{"order_id":"A-1001","amount":42,"note":"`, `"}`
	body := begin + strings.Repeat("x", max(size-len(begin)-len(end), 0)) + end
	quoted, err := json.Marshal(body)
	if err != nil {
		panic(err) // a string always has a form in JSON
	}
	sum := md5.Sum([]byte(body)) //nolint:gosec // see above
	return message{
		handle: strings.Repeat("h", handleLength-digits),
		rest:   `","MD5OfBody":"` + hex.EncodeToString(sum[:]) + `","Body":` + string(quoted),
	}
}

// asked returns the part of a message with the system attributes that a receive asks for.
func asked(in []byte) []byte {
	names := []byte{}
	for _, key := range []string{`"AttributeNames":[`, `"MessageSystemAttributeNames":[`} {
		if _, after, found := bytes.Cut(in, []byte(key)); found {
			names, _, _ = bytes.Cut(after, []byte("]"))
		}
	}
	var b []byte
	for _, a := range attributes() {
		if !bytes.Contains(names, []byte(`"All"`)) && !bytes.Contains(names, []byte(`"`+a[0]+`"`)) {
			continue
		}
		if b == nil {
			b = append(b, `,"Attributes":{`...)
		} else {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), a[0]...), `":"`...)
		b = append(append(b, a[1]...), '"')
	}
	if b != nil {
		b = append(b, '}')
	}
	return b
}

// answer returns the answer to a receive: n messages from number first on.
func (m message) answer(first, n int, attributes []byte) []byte {
	b := make([]byte, 0, 64+n*(160+handleLength+len(m.rest)+len(attributes)))
	b = append(b, `{"Messages":[`...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"MessageId":"00000000-0000-4000-8000-`...)
		b = appendNumber(b, first+i)
		b = append(b, `","ReceiptHandle":"`...)
		b = appendNumber(b, first+i)
		b = append(b, m.handle...)
		b = append(b, m.rest...)
		b = append(b, attributes...)
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

func appendNumber(b []byte, n int) []byte {
	const zeros = "0000000000000000"
	var digit [digits]byte
	text := strconv.AppendInt(digit[:0], int64(n), 10)
	return append(append(b, zeros[len(text):]...), text...)
}

// numberOf reads a message's number from its receipt handle.
func numberOf(handle []byte) (int, bool) {
	if len(handle) != handleLength {
		return 0, false
	}
	n, err := strconv.Atoi(string(handle[:digits]))
	return n, err == nil && n >= 0
}

// values yields the strings that follow a key in a request, which has no such key in any other place.
func values(in []byte, key string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			_, after, found := bytes.Cut(in, []byte(key))
			if !found {
				return
			}
			var value []byte
			if value, in, found = bytes.Cut(after, []byte(`"`)); !found || !yield(value) {
				return
			}
		}
	}
}

// number returns the number that follows a key in a request, 0 without one.
func number(in []byte, key string) int {
	_, after, _ := bytes.Cut(in, []byte(key))
	end := 0
	for end < len(after) && after[end] >= '0' && after[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(string(after[:end]))
	return n
}

// successful answers a batch request all of whose entries succeeded.
func successful(in []byte) []byte {
	b := []byte(`{"Successful":[`)
	for id := range values(in, `"Id":"`) {
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"Id":"`...), id...), `"}`...)
	}
	return append(b, `],"Failed":[]}`...)
}
