package sqstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// listener is the TCP side of a server between Start and Close.
type listener struct {
	url    string
	server *http.Server
	done   chan struct{}
	err    error // of Serve, once done is closed
}

// Start listens on a free port of 127.0.0.1, for clients in other processes
// and for tests of the transport, until [Server.Close]. It returns the base URL
// for clients, and an error when the server is started already or no port can
// be had.
func (s *Server) Start() (url string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return "", errors.New("sqstest: server is started already")
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l := &listener{
		url:    "http://" + ln.Addr().String(),
		server: &http.Server{Handler: s.Handler()},
		done:   make(chan struct{}),
	}
	s.listener = l
	go func() {
		defer close(l.done)
		if err := l.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			l.err = err
		}
	}()
	return l.url, nil
}

// Close ends what Start began and breaks the connections it has. Queues stay
// as they are, and the server can be started again. Closing a server that is
// not started does nothing. The error is that of the listener, if it had one.
func (s *Server) Close() error {
	s.mu.Lock()
	l := s.listener
	s.listener = nil
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	err := l.server.Close()
	<-l.done
	return errors.Join(l.err, err)
}

// TCPClient returns a real SQS client that calls the server over TCP, through
// a [BodyBufferingClient]. optFns change its options as those of
// [Server.Client] do. It panics unless the server is started.
func (s *Server) TCPClient(optFns ...func(*sqs.Options)) *sqs.Client {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	if l == nil {
		panic("sqstest: TCPClient needs Start")
	}
	t := &http.Transport{MaxIdleConnsPerHost: 128}
	return newClient(l.url, BodyBufferingClient{Next: &http.Client{Transport: t}}, optFns)
}

// BodyBufferingClient is an HTTP client for the AWS SDK that hands net/http
// each request body as a plain byte reader.
//
// The SDK closes the body of a request as soon as the response is there, and
// its body reader then fails instead of reporting the end. net/http looks for
// that end after the last byte; when a server is faster than this look, the
// request counts as failed, the connection is closed, and sometimes a response
// is lost with it. A ReceiveMessage lost this way leaves its messages in
// flight. Servers on the same machine are fast enough. Read in smithy-go
// v1.28.8.
type BodyBufferingClient struct {
	// Next sends the requests. Defaults to [http.DefaultClient].
	Next sqs.HTTPClient
}

// Do sends the request with a body of its own.
func (c BodyBufferingClient) Do(req *http.Request) (*http.Response, error) {
	next := c.Next
	if next == nil {
		next = http.DefaultClient
	}
	if req.Body == nil || req.Body == http.NoBody {
		return next.Do(req)
	}
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	out := req.WithContext(req.Context())
	out.Body = io.NopCloser(bytes.NewReader(b))
	out.ContentLength = int64(len(b))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return next.Do(out)
}
