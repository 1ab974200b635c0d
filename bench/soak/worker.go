package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/onlyonce-go/onlyonce/consumer"
	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
	"github.com/onlyonce-go/onlyonce/internal/pause"
	"github.com/onlyonce-go/onlyonce/sources/sqssource"
)

// worker is one process after another: each has its own network, client, guard and pollers, and nothing from the one
// before it but the store. The last one ends with ctx.
func (s *soak) worker(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.life(ctx); err != nil {
			return err
		}
	}
	return nil
}

// life is one of these processes.
func (s *soak) life(ctx context.Context) error {
	proxy, err := awsproxy.Start(s.url) //nolint:contextcheck // it listens until Close
	if err != nil {
		return err
	}
	defer proxy.Close() //nolint:errcheck // of the listener, which is not ours alone
	proxy.Fault(s.network)
	life, end := context.WithCancel(ctx)
	defer end()
	var side sync.WaitGroup
	side.Go(func() { s.partitions(life, proxy) })
	o := sqssource.Options{
		Slots: sqssource.NewSlots(8 + s.luck.pick(56)), Wait: 5 * time.Second, AbandonPolls: s.luck.pick(2) == 0,
	}
	hasty := s.luck.pick(3) == 0
	if hasty {
		o.DrainTimeout = 100 * time.Millisecond
	}
	pollers, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := s.pollers(pollers, newClient(proxy.URL()), o)
	how := "gentle"
	select {
	case <-time.After(s.luck.span(s.time/60, s.time/15)):
		switch {
		case s.luck.pick(3) == 0: // to the queue it is as if it were dead
			how = "cut off"
			end()
			side.Wait()
			proxy.Down()
		case hasty:
			how = "hasty"
		}
	case <-ctx.Done():
		how = "last"
	case err := <-ended:
		return fmt.Errorf("a poller ended by itself: %w", err)
	}
	s.counts.add("workers: stop, "+how, 1)
	stop()
	end()
	side.Wait()
	for range 2 {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

// pollers runs a poller of each queue and tells when they end.
func (s *soak) pollers(ctx context.Context, client *sqs.Client, o sqssource.Options) <-chan error {
	observer := consumer.ObserverFunc(func(_ context.Context, e consumer.Event) { s.events.add(e.EventName(), 1) })
	guard := dedupe.New(s.store, dedupe.Options{Consumer: "soak", Key: dedupe.Field("/n"), Lease: 15 * time.Second, Observer: observer})
	ended := make(chan error, 2)
	for _, queue := range []string{standard, ordered} {
		p := sqssource.New(client, s.url+"/000000000000/"+queue, guard, consumer.JSON(s.handle), o)
		s.polling.Go(func() {
			report, err := p.Run(ctx)
			s.reported(report)
			ended <- err
		})
	}
	return ended
}

// partitions cuts a worker off from the queue now and then, for longer than its messages are invisible or shorter.
func (s *soak) partitions(ctx context.Context, proxy *awsproxy.Proxy) {
	for {
		pause.For(ctx, s.luck.span(s.time/60, s.time/10))
		if ctx.Err() != nil {
			return
		}
		s.counts.add("network: partitions", 1)
		proxy.Down()
		pause.For(ctx, s.luck.span(time.Second, 2*visibility))
		proxy.Up()
		proxy.Reset() // it remembers every request
	}
}

// reported adds up what pollers report.
func (s *soak) reported(r sqssource.Report) {
	for what, n := range map[string]int{
		"received": r.Received, "done": r.Done, "duplicates": r.Duplicates,
		"failed": r.Failed, "released": r.Released, "unsettled": r.Unsettled,
	} {
		s.reports.add(what, n)
	}
	if r.Received != r.Done+r.Duplicates+r.Failed+r.Released+r.Unsettled {
		s.reports.add("WRONG SUMS", 1)
	}
}

// newClient returns the client of one worker.
func newClient(url string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: sqssource.HTTPClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "soak", SecretAccessKey: "soak"}, nil
		}),
	})
}
