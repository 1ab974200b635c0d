//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package boltdedupe

import (
	"os"
	"syscall"
)

// unlock gives up the lock of a file that bbolt panicked on. Closing it is
// not enough where bbolt left it mapped: a mapping keeps the lock.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
