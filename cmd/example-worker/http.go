package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/onlyonce-go/onlyonce/consumer/zapobserver"
)

func httpCommand() command {
	return command{
		name:    "http",
		summary: "serve POST /orders, each Idempotency-Key once",
		text: "Serves POST /orders, until SIGTERM or SIGINT. The header Idempotency-Key says which\n" +
			"request it is; a retry gets the response of the first, with Idempotency-Replayed: true.\n" +
			"  201  the work is done\n" +
			"  400  no key, or a malformed one\n" +
			"  409  in progress: try again after the seconds of Retry-After\n" +
			"  410  done before, but the response was not kept\n" +
			"  413  the body is over 1 MiB\n" +
			"  422  the key was used for another body; or the work failed for good\n" +
			"  502  the work failed, and may be tried again\n" +
			"  503  the store does not answer, or there was no time\n" +
			"At the end it finishes the requests that run and exits 0; a second signal ends it at once.",
		flags: func(fs *flagSet, s *settings) {
			define(fs, "listen", &s.listen, parseAddress, "127.0.0.1:8080", "the `ADDRESS` to serve at")
			define(fs, "store", &s.store, parseStore, "", "where finished work is remembered, one `STORE` of\n"+stores+"; required")
			define(fs, "consumer", &s.consumer, parseName, program, consumerUsage)
			define(fs, "lease", &s.lease, parseLease, "30s", "how long a claim of a killed worker holds, as a `DURATION`")
			define(fs, "retain", &s.retain, parseDuration, "336h", retainUsage)
			define(fs, "concurrency", &s.concurrency, parseCount, "64", "run `N` handlers at once")
			define(fs, "effect-url", &s.effectURL, parseURL, "",
				"the work: POST the body to this `URL` with the headers Idempotency-Key and\n"+
					"Fencing-Token; 2xx is done, 422 failed for good, all else failed; unset: one debug log\nline")
			define(fs, "log-level", &s.logLevel, parseLevel, "info", levelUsage)
		},
		foreign: map[string]string{
			"source": "requests come over TCP; behind API Gateway use " + program + " lambda --source " + string(sourceAPIGateway),
			"key":    "the key is the request's header Idempotency-Key",
			"replay": "only EventBridge replays what it has delivered",
		},
		check: func(s settings) error {
			if s.store == (storeRef{}) {
				return usagef("--store (or $STORE) is missing: say where finished work is remembered, one of %s", stores)
			}
			return nil
		},
		run: runHTTP,
	}
}

// Clients that are slow on purpose do not hold a connection for longer.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
)

// runHTTP serves until a signal comes.
func runHTTP(ctx context.Context, p process, s settings) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	store, closer, err := s.store.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	log := newLogger(p.stderr, s.logLevel)
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return usagef("--listen %s: %v: name another address", s.listen, err)
	}
	server := &http.Server{
		Handler:           newOrders(s, s.guard(store, zapobserver.New(log)), log),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: zap.NewStdLog(log),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	log.Info("listening", zap.Stringer("address", ln.Addr()))
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// What runs has an end: Once gives it a minute, and its store some seconds.
	if err := server.Shutdown(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
