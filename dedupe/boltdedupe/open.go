package boltdedupe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The two buckets of the file, and what the first says.
const (
	metaBucket = "onlyonce"
	rowBucket  = "rows"
	formatKey  = "format"
	format     = "1"
)

// Open opens the store at path and creates the file, readable by its owner
// only, when there is none. It does not create directories. Its errors name
// the path; they match [ErrLocked], [ErrFormat] or an error of package fs.
func Open(path string, o Options) (*Store, error) {
	if o.LockTimeout < 0 {
		panic("boltdedupe: Open: LockTimeout is negative")
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = time.Second
	}
	_, err := os.Stat(path)
	created := errors.Is(err, fs.ErrNotExist)
	s := &Store{path: path}
	if err := s.open(o); err != nil {
		return nil, openError(path, err)
	}
	if created {
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, openError(path, errors.Join(err, s.closeFile()))
		}
	}
	return s, nil
}

// open opens and checks the file. bbolt trusts what a file says of itself, so
// a damaged one makes it panic or fault; here that is an error.
func (s *Store) open(o Options) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = foreignError(fmt.Sprint("damaged: ", p))
			if s.db == nil { // bbolt did not come to let go of the file
				err = errors.Join(err, unlock(s.file), s.file.Close())
			}
		}
		if err != nil && s.db != nil {
			err = errors.Join(err, s.closeFile())
		}
	}()
	s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout:      o.LockTimeout,
		FreelistType: bbolt.FreelistMapType, // constant time in a file of any size
		OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
			s.file, err = os.OpenFile(name, flag, perm)
			return s.file, err
		},
	})
	if err != nil {
		if _, system := errors.AsType[syscall.Errno](err); system || errors.Is(err, bolterrors.ErrTimeout) {
			return err
		}
		return foreignError(err.Error()) // what is left is about what the file holds
	}
	empty, err := s.check()
	if err != nil {
		return err
	}
	if empty {
		if err := s.update(create); err != nil {
			return err
		}
	}
	if err := s.db.Sync(); err != nil { // a process that was killed may have written without
		return err
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		s.synced.Store(int64(tx.ID())) // nobody else writes
		return nil
	})
}

// check reports whether the file is new, and an error when it is not ours.
func (s *Store) check() (empty bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(s.path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() { // touching what is missing would be fatal later
			return foreignError(fmt.Sprintf("truncated to %d of %d bytes", info.Size(), tx.Size()))
		}
		if err := s.checkPages(tx); err != nil {
			return err
		}
		meta := tx.Bucket([]byte(metaBucket))
		if meta == nil {
			if first, _ := tx.Cursor().First(); first != nil {
				return foreignError("it is another program's database")
			}
			empty = true
			return nil
		}
		if got := meta.Get([]byte(formatKey)); string(got) != format {
			return foreignError(fmt.Sprintf("it has format %q, this program reads %q", got, format))
		}
		if tx.Bucket([]byte(rowBucket)) == nil {
			return foreignError("it has no rows")
		}
		return nil
	})
	return empty, err
}

// create makes the buckets of a new file.
func create(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucket([]byte(metaBucket))
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucket([]byte(rowBucket)); err != nil {
		return err
	}
	return meta.Put([]byte(formatKey), []byte(format))
}

// foreignError says why a file is not ours. openError makes it an ErrFormat.
type foreignError string

func (e foreignError) Error() string { return string(e) }

// openError says what failed with the path, and with our errors for those
// that a caller must tell apart.
func openError(path string, err error) error {
	foreign, ok := errors.AsType[foreignError](err)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s", ErrLocked, path)
	case ok:
		return fmt.Errorf("%w: %s: %w", ErrFormat, path, foreign)
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok && pe.Path == path {
		err = pe.Err // the path once is enough
	}
	return fmt.Errorf("boltdedupe: open %s: %w", path, err)
}

// syncDir makes a new file's name as durable as its content.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // cannot sync a directory, and need not
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
