package boltdedupe_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onlyonce-go/onlyonce/dedupe"
	"github.com/onlyonce-go/onlyonce/dedupe/boltdedupe"
)

// crashChild is the variable that makes the test binary the worker that
// TestCrash kills. Its arguments are the file and a prefix for its keys.
const crashChild = "BOLTDEDUPE_CRASH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(crashChild) != "" {
		fmt.Fprintln(os.Stderr, workUntilKilled(os.Args[1], os.Args[2]))
		os.Exit(1)
	}
	m.Run()
}

// A worker that is killed at any moment takes nothing back that it was told:
// every key that it knew to be completed is COMPLETED with its result when the
// file is opened again, every key that it knew to have won is held, and the
// file opens at once and is sound. The page cache outlives a process, so this
// is about the order of writes and answers and not about the disk.
func TestCrash(t *testing.T) {
	const seed, kills = 20260731, 10
	random := rand.New(rand.NewPCG(seed, kills))
	path := filepath.Join(t.TempDir(), "rows.db")
	begun := time.Now()
	var won, done []dedupe.Key
	for kill := range kills {
		// Sometimes at the start, so that a kill can meet the creation and the
		// opening of the file, otherwise in the midst of the work.
		lines, delay := 0, time.Duration(random.IntN(3000))*time.Microsecond
		if kill%3 != 0 {
			lines, delay = 6+random.IntN(10), 50*delay
		}
		told := crash(t, path, fmt.Sprintf("v1:crash:%d", kill), lines, delay)
		for _, line := range told {
			switch verb, key, _ := strings.Cut(line, " "); verb {
			case "won":
				won = append(won, dedupe.Key(key))
			case "done":
				done = append(done, dedupe.Key(key))
			}
		}
		wantAnswersKept(t, path, won, done)
		if t.Failed() {
			t.Fatalf("after kill %d of %d with seed %d, %d lines and %v into the work", kill+1, kills, seed, lines, delay)
		}
	}
	t.Logf("%d keys won and %d completed, %d kills in %v", len(won), len(done), kills, time.Since(begun))
	counted(t, kills, map[string]int{"keys completed": len(done)})
	if len(done) == 0 {
		t.Error("no worker completed a key before it was killed")
	}
}

// crash starts a worker, waits until it has printed its first line and as many
// more as lines says, kills it after the delay and returns what it printed.
func crash(t *testing.T, path, prefix string, lines int, delay time.Duration) (told []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	worker := exec.CommandContext(ctx, exe, path, prefix)
	worker.Env = append(os.Environ(), crashChild+"=1")
	var complaint bytes.Buffer
	worker.Stderr = &complaint
	pipe, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	for {
		line, err := out.ReadString('\n')
		if err != nil { // a line without its end was not told
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		told = append(told, strings.TrimSuffix(line, "\n"))
		if len(told) == lines+1 {
			time.AfterFunc(delay, func() { _ = worker.Process.Kill() }) // fails only when it is dead already
		}
	}
	if err := worker.Wait(); err == nil || complaint.Len() > 0 {
		t.Fatalf("worker ended by itself: %v\n%s", err, complaint.Bytes())
	}
	return told
}

// wantAnswersKept opens the file as the next worker does and asks for every
// key that an earlier one won or completed.
func wantAnswersKept(t *testing.T, path string, won, done []dedupe.Key) {
	t.Helper()
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		t.Fatalf("Open after a crash: %v", err)
	}
	for _, key := range done {
		v := apply(t, s, claimBy(key, 2))[0]
		if v.Outcome != dedupe.Done || !bytes.Equal(v.Row.Result, resultOf(key)) {
			t.Errorf("completed key %s: %v with %d bytes of result, want done with %d",
				key, v.Outcome, len(v.Row.Result), len(resultOf(key)))
		}
	}
	for _, key := range won {
		if v := apply(t, s, claimBy(key, 2))[0]; v.Outcome != dedupe.Busy && v.Outcome != dedupe.Done {
			t.Errorf("won key %s: %v, want busy or done", key, v.Outcome)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("file after a crash: %v", err)
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// workUntilKilled claims and completes keys from several goroutines and prints
// each once it was told so. It returns only when something fails.
func workUntilKilled(path, prefix string) error {
	fmt.Println("open") // a kill may come from now on
	s, err := boltdedupe.Open(path, boltdedupe.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for g := range 3 {
		go func() {
			for i := 0; ; i++ {
				if err := workOnce(s, dedupe.Key(fmt.Sprintf("%s:%d:%d", prefix, g, i))); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

// workOnce claims and completes a key, beside one that has expired already:
// its removal makes room in the file, which the next rows use again.
func workOnce(s *boltdedupe.Store, key dedupe.Key) error {
	claim, passing := claimBy(key, 1), claimBy("passing:"+key, 1)
	passing.LeaseEnd, passing.RetainEnd = 1, 1
	done := claim
	done.Kind, done.Result = dedupe.OpComplete, resultOf(key)
	for _, step := range []struct {
		ops  []dedupe.Op
		want dedupe.Outcome
		word string
	}{
		{[]dedupe.Op{claim, passing}, dedupe.Won, "won"},
		{[]dedupe.Op{done}, dedupe.Applied, "done"},
	} {
		verdicts, err := s.Apply(context.Background(), step.ops)
		if err != nil {
			return err
		}
		if v := verdicts[0]; v.Outcome != step.want {
			return errors.Join(fmt.Errorf("%v of %q: %v, want %v", step.ops[0].Kind, key, v.Outcome, step.want), v.Err)
		}
		fmt.Println(step.word, key) // one write, so lines do not mix
	}
	return nil
}

// claimBy returns a claim of key that holds for an hour.
func claimBy(key dedupe.Key, owner byte) dedupe.Op {
	end := dedupe.MillisOf(time.Now()).Add(time.Hour)
	return dedupe.Op{Kind: dedupe.OpClaim, Key: key, Owner: dedupe.Owner{owner}, LeaseEnd: end, RetainEnd: end}
}

// resultOf returns the result that key is completed with: of no bytes for
// every tenth key, and of more than a page for some.
func resultOf(key dedupe.Key) []byte {
	return bytes.Repeat([]byte(key), int(key[len(key)-1]-'0')*60)
}
