// Package pause waits, and lets itself be interrupted.
package pause

import (
	"context"
	"time"
)

// For waits for d, or until ctx ends, and reports whether ctx let it wait.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
