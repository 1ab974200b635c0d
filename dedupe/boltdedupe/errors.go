package boltdedupe

import (
	"errors"
	"fmt"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Errors of Open.
var (
	// ErrLocked is returned when another process, or another Store of this
	// one, has the file open.
	ErrLocked = errors.New("boltdedupe: file is open elsewhere")

	// ErrFormat is returned when the file is not a store of this package,
	// belongs to another program, was written by another version or is
	// damaged. The file was not changed. Whoever goes on with a new file in
	// place of a damaged one, or with a copy from before, does the work of
	// redelivered messages again that was recorded since.
	ErrFormat = errors.New("boltdedupe: not a store file of this version")
)

// Errors of Apply.
var (
	// ErrClosed is returned when the store was closed.
	ErrClosed = errors.New("boltdedupe: store is closed")

	// ErrFailed is returned by the call whose transaction could not be
	// written or read and, since what the file holds is not known from then
	// on, by every later one until it is opened again. A full disk is such a
	// case.
	ErrFailed = errors.New("boltdedupe: file failed, must be opened again")

	// ErrKey is the error in the verdict of an operation whose key is empty or
	// longer than bbolt can store.
	ErrKey = errors.New("boltdedupe: key is empty or too long")

	// ErrRow is the error in the verdict of an operation whose stored row
	// cannot be read; the row stays as it is. The verdict's error is a
	// [*RowError].
	ErrRow = errors.New("boltdedupe: unreadable row")
)

// RowError says which row cannot be read and why. It matches [ErrRow].
type RowError struct {
	Key    dedupe.Key
	Reason string
}

// Error implements error.
func (e *RowError) Error() string {
	return fmt.Sprintf("boltdedupe: unreadable row of key %q: %s", e.Key, e.Reason)
}

// Is reports whether target is ErrRow.
func (e *RowError) Is(target error) bool { return target == ErrRow }
