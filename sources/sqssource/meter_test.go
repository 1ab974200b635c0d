package sqssource_test

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// meter is the SDK's client with a look at the receives that are under way.
type meter struct {
	*sqs.Client

	mu    sync.Mutex
	polls int // under way
	asked int // messages that these asked for
	most  int // of polls, at once

	mostAsked int // by one receive
}

func (m *meter) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	m.add(1, int(in.MaxNumberOfMessages))
	defer m.add(-1, -int(in.MaxNumberOfMessages))
	return m.Client.ReceiveMessage(ctx, in, o...)
}

func (m *meter) add(polls, asked int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.polls += polls
	m.asked += asked
	m.mostAsked = max(m.mostAsked, asked)
	m.most = max(m.most, m.polls)
}

// now returns how many receives are under way and for how many messages they
// ask.
func (m *meter) now() (polls, asked int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.polls, m.asked
}

// reset returns the most receives that were under way at once since the last
// reset.
func (m *meter) reset() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := m.most
	m.most = m.polls
	return most
}
