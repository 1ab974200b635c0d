package sqstest

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// handle is what a receipt handle says. Callers must treat it as opaque; the
// checksum tells handles of this package from anything else.
type handle struct {
	queue  string
	key    uint64
	serial int
	id     string
}

func (h handle) String() string {
	text := fmt.Sprintf("%s|%d|%d|%s", h.queue, h.key, h.serial, h.id)
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s|%08x", text, crc32.ChecksumIEEE([]byte(text))))
}

func parseHandle(s string) (h handle, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return h, false
	}
	i := strings.LastIndexByte(string(raw), '|')
	if i < 0 || string(raw[i+1:]) != fmt.Sprintf("%08x", crc32.ChecksumIEEE(raw[:i])) {
		return h, false
	}
	parts := strings.Split(string(raw[:i]), "|")
	if len(parts) != 4 {
		return h, false
	}
	key, err1 := strconv.ParseUint(parts[1], 10, 64)
	serial, err2 := strconv.Atoi(parts[2])
	return handle{queue: parts[0], key: key, serial: serial, id: parts[3]}, err1 == nil && err2 == nil
}

// resolve finds the message of a receipt handle; nil when it was deleted.
func (q *queue) resolve(receipt string) (*message, handle, *Error) {
	if receipt == "" {
		return nil, handle{}, missing("ReceiptHandle")
	}
	h, ok := parseHandle(receipt)
	if !ok || h.queue != q.name {
		return nil, h, newError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	return q.messages[h.key], h, nil
}

// handledEntry describes a receipt handle to a [FaultFunc].
func handledEntry(id, receipt string) Entry {
	h, _ := parseHandle(receipt)
	return Entry{ID: id, MessageID: h.id, ReceiptHandle: receipt}
}
