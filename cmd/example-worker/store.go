package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/memdedupe"
)

// storeRef names a store. The zero storeRef names none.
type storeRef struct {
	kind string // "memory" or "bolt"
	path string
}

const stores = "memory:, bolt:PATH"

// laterStores are the schemes of stores that come with later builds.
func laterStores() []string { return []string{"dynamodb", "redis", "rediss", "postgres", "postgresql"} }

func parseStore(text string) (storeRef, error) {
	kind, path, found := strings.Cut(text, ":")
	switch {
	case text == "memory:":
		return storeRef{kind: kind}, nil
	case kind == "bolt" && path != "":
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
func (r storeRef) open() (dedupe.Store, io.Closer, error) {
	if r.kind == "memory" {
		return memdedupe.New(), nothing{}, nil
	}
	s, err := boltdedupe.Open(r.path, boltdedupe.Options{})
	switch {
	case errors.Is(err, boltdedupe.ErrLocked):
		return nil, nil, usagef("store file %s is open in another process: stop that one, or name another file with --store", r.path)
	case err != nil:
		return nil, nil, usagef("%v: name another file with --store bolt:PATH", err)
	}
	return s, s, nil
}

// nothing is closed without any effort.
type nothing struct{}

// Close returns nil.
func (nothing) Close() error { return nil }
