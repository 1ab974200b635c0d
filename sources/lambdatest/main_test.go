package lambdatest_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestMain removes the programs that the tests compiled.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lambdatest")
	if err != nil {
		log.Fatal(err)
	}
	binaries.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// binaries holds the compiled programs of testdata, each made when it is first
// asked for.
var binaries struct {
	dir string
	mu  sync.Mutex
}

// compile returns the path of the program testdata/name.
func compile(ctx context.Context, name string) (string, error) {
	binaries.mu.Lock()
	defer binaries.mu.Unlock()
	path := filepath.Join(binaries.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-o", path, "./testdata/"+name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compile %s: %w\n%s", name, err, out)
	}
	return path, nil
}
