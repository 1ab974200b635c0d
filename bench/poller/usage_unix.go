//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// used returns what this process has used so far.
func used() usage {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return usage{}
	}
	unit := 1024.0 // bytes that Maxrss counts in
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return usage{
		CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano()), Starved: starved(),
		PeakMiB: float64(u.Maxrss) * unit / (1 << 20),
	}
}

// starved is how long threads of this process were ready and did not get a core, where the kernel tells (Linux, schedstat).
func starved() time.Duration {
	files, _ := filepath.Glob("/proc/self/task/*/schedstat")
	var sum time.Duration
	for _, file := range files {
		text, _ := os.ReadFile(file) //nolint:gosec // of the kernel
		var ran, waited int64
		if _, err := fmt.Sscan(string(text), &ran, &waited); err == nil {
			sum += time.Duration(waited)
		}
	}
	return sum
}
