package e2e_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Where the functions' program is.
const (
	codeBucket = "onlyonce-code"
	codeKey    = "worker.zip"
	codeURI    = "s3://" + codeBucket + "/" + codeKey
)

// uploadWorker builds the example worker for this machine and puts it where the
// template takes it from.
func (c *cloud) uploadWorker(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags=lambda.norpc", "-o", path, "./cmd/example-worker")
	build.Dir = ".."
	build.Env = append(os.Environ(), "GOWORK=off", "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(0o755)
	file, err := w.CreateHeader(header)
	if err == nil {
		_, err = file.Write(program)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	c.putObject(t, codeBucket, nil)
	c.putObject(t, codeBucket+"/"+codeKey, packed.Bytes())
}

// putObject makes a bucket, or an object in one. The SDK's client for S3 takes
// longer to compile than all the others, for two requests.
func (c *cloud) putObject(t *testing.T, path string, content []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.endpoint+"/"+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	// ministack finds the service by the credential's scope and checks no signature.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT %s: got status %s", path, resp.Status)
	}
}
