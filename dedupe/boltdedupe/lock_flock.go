//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package boltdedupe

import (
	"errors"
	"os"
	"syscall"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"
)

// lockFirst: bbolt takes its lock on what it was given open, where ours on the
// same is no obstacle.
const lockFirst = true

// lock takes the lock that bbolt takes, and like bbolt asks for it again and
// again until the timeout.
func lock(f *os.File, timeout time.Duration) error {
	const pause = 10 * time.Millisecond
	for end := time.Now().Add(timeout); ; <-time.After(pause) { // Open has no context
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().Add(pause).After(end) {
			return bolterrors.ErrTimeout
		}
	}
}

// unlock gives up the lock of a file that bbolt panicked on. Closing it is
// not enough where bbolt left it mapped: a mapping keeps the lock.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
