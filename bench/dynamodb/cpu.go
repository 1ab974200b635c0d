package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// pinApart gives this process and the server a processor each, and reports
// whether it could.
func pinApart(ctx context.Context, server int, stderr io.Writer) bool {
	for cpu, pid := range []int{os.Getpid(), server} {
		out, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", strconv.Itoa(cpu), strconv.Itoa(pid)).CombinedOutput()
		if err != nil {
			fmt.Fprintf(stderr, "dynamodb: client and server share processors: taskset: %v %s\n", err, strings.TrimSpace(string(out)))
			return false
		}
	}
	return true
}

// system names the machine.
func system() string {
	name := runtime.GOOS + "/" + runtime.GOARCH
	info, _ := os.ReadFile("/proc/cpuinfo") // where there is none, no name
	for line := range strings.Lines(string(info)) {
		if after, ok := strings.CutPrefix(line, "model name"); ok {
			name += ", " + strings.TrimSpace(strings.TrimLeft(after, "\t :"))
			break
		}
	}
	return fmt.Sprintf("%s, %d processors", name, runtime.NumCPU())
}
