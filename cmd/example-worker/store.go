package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/dynamodedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// storeRef names a store. The zero storeRef names none.
type storeRef struct {
	kind string // "memory", "bolt" or "dynamodb"
	path string // or the name of a table
}

const stores = "memory:, bolt:PATH, dynamodb:TABLE"

// checkTime bounds the look at the table when a worker starts.
const checkTime = 8 * time.Second

// laterStores are the schemes of stores that come with later builds.
func laterStores() []string { return []string{"redis", "rediss", "postgres", "postgresql"} }

func parseStore(text string) (storeRef, error) {
	kind, path, found := strings.Cut(text, ":")
	switch {
	case text == "memory:":
		return storeRef{kind: kind}, nil
	case (kind == "bolt" || kind == "dynamodb") && path != "":
		return storeRef{kind, path}, nil
	}
	for _, later := range laterStores() {
		if found && kind == later {
			return storeRef{}, fmt.Errorf("not in this build yet; available: %s", stores)
		}
	}
	return storeRef{}, fmt.Errorf("want one of %s", stores)
}

// String returns the store as --store names it.
func (r storeRef) String() string { return r.kind + ":" + r.path }

// open opens the store. What goes wrong is for the caller to put right.
func (r storeRef) open(ctx context.Context) (dedupe.Store, io.Closer, error) {
	switch r.kind {
	case "memory":
		return memdedupe.New(), nothing{}, nil
	case "dynamodb":
		s, err := openTable(ctx, r.path)
		return s, nothing{}, err
	}
	s, err := boltdedupe.Open(r.path, boltdedupe.Options{})
	switch {
	case errors.Is(err, boltdedupe.ErrLocked):
		return nil, nil, usagef("store file %s is open in another process: stop that one, or name another file with --store", r.path)
	case errors.Is(err, boltdedupe.ErrFormat):
		return nil, nil, usagef("%v: put the store's file there, or name another file with --store bolt:PATH; a new one has no finished work in it, so redelivered messages run again", err)
	case err != nil:
		return nil, nil, usagef("%v: name another file with --store bolt:PATH", err)
	}
	return s, s, nil
}

// openTable looks at the table, so that what is wrong with it is told when the
// worker starts and not by every record. Region, credentials and endpoint are
// those of the SDK's standard environment.
func openTable(ctx context.Context, table string) (*dynamodedupe.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, usagef("AWS configuration: %v", err)
	}
	s := dynamodedupe.New(dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		o.HTTPClient = dynamodedupe.HTTPClient()
	}), table)
	err = s.Check(ctx)
	switch {
	case errors.Is(err, dynamodedupe.ErrTable), errors.Is(err, dynamodedupe.ErrDenied):
		return nil, usagef("--store dynamodb:%s: %v", table, err)
	case err != nil:
		return nil, fmt.Errorf("--store dynamodb:%s: %w", table, err)
	}
	return s, nil
}

// nothing is closed without any effort.
type nothing struct{}

// Close returns nil.
func (nothing) Close() error { return nil }
