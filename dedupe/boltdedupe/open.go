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
	format     = "2" // 1 had no total
	totalKey   = "total"
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

// open opens the file, checks it and makes it ready. bbolt trusts what a file
// says of itself: one that was damaged makes it panic or fault, which is an
// error here, or ends the process. So the file is checked before bbolt reads it,
// where our lock on it is one that bbolt can take over.
func (s *Store) open(o Options) error {
	if err := s.openFile(o); err != nil {
		return err
	}
	var err error
	if !lockFirst {
		err = s.check()
	}
	if err == nil {
		err = s.begun()
	}
	if err != nil {
		err = errors.Join(err, s.closeFile())
	}
	return err
}

// check checks a file that nobody else has open. One that is empty is new.
func (s *Store) check() error {
	info, err := s.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	return checkFile(s.file, info.Size())
}

// openFile has bbolt open the file, which it locks.
func (s *Store) openFile(o Options) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil { // bbolt did not come to let go of the file
			err = errors.Join(foreignError(fmt.Sprint("damaged: ", p)), unlock(s.file), s.file.Close())
		}
	}()
	s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout:      o.LockTimeout,
		FreelistType: bbolt.FreelistMapType, // constant time in a file of any size
		OpenFile: func(name string, flag int, perm os.FileMode) (_ *os.File, err error) {
			if s.file, err = os.OpenFile(name, flag, perm); err != nil || !lockFirst {
				return s.file, err
			}
			err = lock(s.file, o.LockTimeout)
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return nil, errors.Join(err, s.file.Close())
			}
			return s.file, nil
		},
	})
	_, foreign := errors.AsType[foreignError](err)
	_, system := errors.AsType[syscall.Errno](err)
	if err == nil || foreign || system || errors.Is(err, bolterrors.ErrTimeout) {
		return err
	}
	return foreignError(err.Error()) // what is left is about what the file holds
}

// begun makes an open file's buckets, if it has none, and brings to the disk
// what it holds: a process that was killed may have written without.
func (s *Store) begun() error {
	var last int
	empty := false
	err := s.view(func(tx *bbolt.Tx) error {
		last, empty = tx.ID(), tx.Bucket([]byte(metaBucket)) == nil
		return nil
	})
	if err == nil && empty {
		err = s.update(create)
		last++
	}
	s.synced.Store(int64(last)) // nobody else writes
	return errors.Join(err, s.db.Sync())
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
	if err := (total{}).store(tx); err != nil {
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
