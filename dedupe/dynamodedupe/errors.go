package dynamodedupe

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// Errors about the table, of Check and CreateTable and in verdicts.
var (
	// ErrTable is returned when the table does not exist or is not one for
	// this package: its partition key or its TTL attribute are others.
	ErrTable = errors.New("dynamodedupe: table is missing or not usable")

	// ErrDenied is returned when the credentials in use do not allow an
	// action; the error names it.
	ErrDenied = errors.New("dynamodedupe: permission is missing")
)

// Errors in the verdict of one operation.
var (
	// ErrKey is returned for a key that is empty, longer than the 2048 bytes
	// of a partition key or not UTF-8.
	ErrKey = errors.New("dynamodedupe: key cannot be a partition key")

	// ErrRow is returned when the stored item cannot be read; it stays as it
	// is. The verdict's error is a [*RowError].
	ErrRow = errors.New("dynamodedupe: unreadable item")

	// ErrContended is returned when other writers changed the item each time
	// between our read and our write.
	ErrContended = errors.New("dynamodedupe: item is contended")
)

// ErrWrites is returned by [Store.CompleteTx] for writes that cannot stand in
// one transaction with the record: there are too many, or one is of the
// record's own item. Nothing was written.
var ErrWrites = errors.New("dynamodedupe: writes cannot be in the record's transaction")

// RowError says which item cannot be read and why. It matches [ErrRow].
type RowError struct {
	Key    dedupe.Key
	Reason string
}

// Error implements error.
func (e *RowError) Error() string {
	return fmt.Sprintf("dynamodedupe: unreadable item of key %q: %s", e.Key, e.Reason)
}

// Is reports whether target is ErrRow.
func (e *RowError) Is(target error) bool { return target == ErrRow }

// StatementError is the error of one entry of a batch: a throttled one after
// its retries, or one that DynamoDB refuses.
type StatementError struct {
	Code    string // as BatchStatementErrorCodeEnum names it
	Message string
}

// Error implements error.
func (e *StatementError) Error() string {
	return "dynamodedupe: statement failed: " + e.Code + ": " + e.Message
}

// Is reports whether target is ErrDenied or ErrTable and the code says so.
func (e *StatementError) Is(target error) bool {
	return target == ErrDenied && e.Code == "AccessDenied" || target == ErrTable && e.Code == "ResourceNotFound"
}

// requestError says which request failed, and what to do where that is clear.
func requestError(action, table string, err error) error {
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch code {
	case "ResourceNotFoundException":
		return fmt.Errorf("%w: no table %q in this account and region: create it, or correct the name: %w", ErrTable, table, err)
	case "AccessDeniedException", "AccessDenied":
		return fmt.Errorf("%w: allow %s on table %q: %w", ErrDenied, action, table, err)
	}
	return fmt.Errorf("dynamodedupe: %s on table %q: %w", action, table, err)
}
