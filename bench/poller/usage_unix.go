//go:build unix

package main

import (
	"runtime"
	"syscall"
	"time"
)

// used returns the CPU time, user and system, that this process has used so far, and its largest size in MiB.
func used() (cpu time.Duration, peak float64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	unit := 1024.0 // bytes that Maxrss counts in
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), float64(u.Maxrss) * unit / (1 << 20)
}
