package onlyonce_test

import (
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// Every fuzz target has inputs that are kept with it, and so are run by every
// test; none is left of a target that is gone.
func TestFuzzCorpora(t *testing.T) {
	targets := map[string]bool{} // folders of their inputs
	for _, f := range sourceFiles(t) {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				targets[path.Join(f.dir, "testdata/fuzz", fn.Name.Name)] = true
			}
		}
	}
	for dir := range targets {
		kept, err := os.ReadDir(filepath.FromSlash(dir))
		if err != nil || len(kept) == 0 {
			t.Errorf("%s: no input is kept (%v): run the target, and keep some of what it finds interesting", dir, err)
		}
	}
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := path.Base(file); entry.IsDir() && file != "." && name[0] == '.' {
			return fs.SkipDir
		}
		if entry.IsDir() && path.Base(path.Dir(file)) == "fuzz" && path.Base(path.Dir(path.Dir(file))) == "testdata" && !targets[file] {
			t.Errorf("%s: inputs of a target that is not there", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
