package e2e_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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
	if _, err := c.objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(codeBucket)}); err != nil {
		t.Fatal(err)
	}
	_, err = c.objects.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(codeBucket), Key: aws.String(codeKey), Body: bytes.NewReader(packed.Bytes()),
	})
	if err != nil {
		t.Fatal(err)
	}
}
