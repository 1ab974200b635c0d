package sqstest

import (
	"container/heap"
	"time"
)

// timeHeap orders messages by a time, and by arrival among equals. A message
// knows its index, so that it is found at once when it leaves early.
type timeHeap struct {
	key   func(*message) time.Time
	index func(*message) *int
	items []*message
}

func (h *timeHeap) first() *message {
	if len(h.items) == 0 {
		return nil
	}
	return h.items[0]
}

func (h *timeHeap) push(m *message) { heap.Push((*heapOrder)(h), m) }

// remove takes m out if it is in.
func (h *timeHeap) remove(m *message) {
	if i := *h.index(m); i >= 0 && i < len(h.items) && h.items[i] == m {
		heap.Remove((*heapOrder)(h), i)
	}
}

// heapOrder gives timeHeap the methods of [heap.Interface].
type heapOrder timeHeap

func (h *heapOrder) Len() int { return len(h.items) }

func (h *heapOrder) Less(i, j int) bool {
	a, b := h.items[i], h.items[j]
	if c := h.key(a).Compare(h.key(b)); c != 0 {
		return c < 0
	}
	return a.key < b.key
}

func (h *heapOrder) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	*h.index(h.items[i]) = i
	*h.index(h.items[j]) = j
}

func (h *heapOrder) Push(x any) {
	m, _ := x.(*message)
	*h.index(m) = len(h.items)
	h.items = append(h.items, m)
}

func (h *heapOrder) Pop() any {
	last := len(h.items) - 1
	m := h.items[last]
	h.items[last] = nil
	h.items = h.items[:last]
	*h.index(m) = -1
	return m
}
