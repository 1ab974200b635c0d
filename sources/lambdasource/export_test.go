package lambdasource

import "github.com/onlyonce-go/onlyonce/consumer"

// Read returns how many messages are in a payload.
func Read(payload []byte) int {
	ms, _ := sqsSource().read(payload)
	return len(ms)
}

// Response returns the answer to a payload of whose records a batch reported
// only the first n, all as done.
func Response(payload []byte, n int) string {
	ms, _ := sqsSource().read(payload)
	return string(response(failuresOf(ms, func(yield func(*consumer.Record, error) bool) {
		for i := 0; i < n && yield(&ms[i].rec, nil); i++ {
		}
	})))
}
