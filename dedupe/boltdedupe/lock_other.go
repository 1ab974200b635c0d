//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package boltdedupe

import (
	"os"
	"time"
)

// lockFirst: bbolt's lock would wait for ours. The file is checked when bbolt
// has it, in which a damaged list of free pages can still end the process.
const lockFirst = false

func lock(*os.File, time.Duration) error { return nil }

// unlock leaves the lock to the end of the process.
func unlock(*os.File) error { return nil }
