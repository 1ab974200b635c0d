package onlyonce_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house, as tests. CONTRIBUTING.md gives their reasons.

const (
	module   = "github.com/onlyonce-go/onlyonce"
	jsontext = "github.com/go-json-experiment/json/jsontext"
	maxLines = 400
)

// layers is the order of the house: cmd -> sources -> batch -> dedupe -> consumer. A package imports its own layer and those
// before it. The root, bench and proof stand above all of them.
var layers = []string{"consumer", "dedupe", "batch", "sources", "cmd"}

// core are the packages that import nothing but the standard library, each other and jsontext.
var core = layers[:4]

// direct are the modules, or prefixes of modules that end in a star, that the root's go.mod may require.
var direct = []string{
	"github.com/aws/aws-lambda-go",
	"github.com/aws/aws-sdk-go-v2*",
	"github.com/aws/smithy-go",
	"github.com/go-json-experiment/json",
	"go.etcd.io/bbolt",
	"go.uber.org/zap",
}

// Arrows between packages go one way, through packages under internal/ as well.
func TestArrows(t *testing.T) {
	files := sourceFiles(t)
	imports := map[string][]string{} // of our packages without their tests, by folder
	for _, f := range files {
		if !f.test {
			imports[f.dir] = append(imports[f.dir], f.imports()...)
		}
	}
	for _, f := range files {
		if under(f.dir, "internal") {
			continue // has no layer of its own: it is judged by who imports it
		}
		for _, imported := range throughInternal(f.imports(), imports) {
			if f.test && testDouble(imported) {
				continue
			}
			if why := forbidden(f.dir, imported); why != "" {
				t.Errorf("%s: imports %s: %s", f.path, imported, why)
			}
		}
	}
}

// forbidden says why the package in folder from may not import the one in folder to, or nothing.
func forbidden(from, to string) string {
	switch {
	case from == to || under(to, from):
		return ""
	case isStore(from) && to != "dedupe" && to != "consumer" && !sameStore(from, to) && !under(to, "internal"):
		return "what implements or checks a store imports dedupe and consumer only"
	case layer(from) < layer(to):
		return "arrows go cmd -> sources -> batch -> dedupe -> consumer only"
	}
	return ""
}

// layer is a package's place in the order; what belongs to none of them stands above all, but internal below.
func layer(dir string) int {
	if under(dir, "internal") {
		return -1
	}
	first, _, _ := strings.Cut(dir, "/")
	if i := slices.Index(layers, first); i >= 0 {
		return i
	}
	return len(layers)
}

// isStore tells whether dir is a package beside dedupe: a store or their conformance suite, or a part of one.
func isStore(dir string) bool { return dir != "dedupe" && under(dir, "dedupe") }

// sameStore tells whether two packages below dedupe are parts of the same store.
func sameStore(a, b string) bool {
	return isStore(b) && strings.Split(a, "/")[1] == strings.Split(b, "/")[1]
}

// testDouble tells whether tests of every layer may import the package in dir.
func testDouble(dir string) bool {
	return dir == "sources/sqstest" || dir == "sources/lambdatest" || path.Dir(dir) == "dedupe"
}

// throughInternal adds to the imported packages what those of them under internal/ import, at any depth.
func throughInternal(imported []string, imports map[string][]string) []string {
	all := slices.Clone(imported)
	for i := 0; i < len(all); i++ {
		if !under(all[i], "internal") {
			continue
		}
		for _, next := range imports[all[i]] {
			if !slices.Contains(all, next) {
				all = append(all, next)
			}
		}
	}
	return all
}

// The core packages import the standard library, each other and jsontext, and so does all that they import.
func TestCoreImports(t *testing.T) {
	type pkg struct {
		ImportPath string
		Standard   bool
		Imports    []string
	}
	packages := map[string]pkg{}
	dec := json.NewDecoder(bytes.NewReader(goOutput(t, "list", "-e", "-deps", "-json=ImportPath,Standard,Imports", "./...")))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
	for _, name := range core {
		for _, imported := range packages[module+"/"+name].Imports {
			if packages[imported].Standard || imported == jsontext {
				continue
			}
			// Another core package answers for its own imports, so direct imports are all there is to check.
			if of, ours := strings.CutPrefix(imported, module+"/"); !ours || !slices.Contains(core, of) {
				t.Errorf("%s: imports %s: core packages import only the standard library, each other and jsontext", name, imported)
			}
		}
	}
}

// Every package has one package comment: none leaves its reader alone, two are joined by godoc in an order nobody chose.
func TestPackageComments(t *testing.T) {
	comments := map[[2]string][]string{} // by folder and package name
	for _, f := range sourceFiles(t) {
		if f.test {
			continue
		}
		key := [2]string{f.dir, f.ast.Name.Name}
		if comments[key] == nil {
			comments[key] = []string{}
		}
		if f.ast.Doc.Text() != "" {
			comments[key] = append(comments[key], f.path)
		}
	}
	for key, paths := range comments {
		if len(paths) != 1 {
			t.Errorf("package %s in %s: %d package comments %v, want one", key[1], key[0], len(paths), paths)
		}
	}
}

// The root go.mod replaces nothing, because go install refuses a module that does, and requires only what is agreed.
func TestRootModule(t *testing.T) {
	var mod struct {
		Replace []struct{ Old struct{ Path string } }
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	decode(t, goOutput(t, "mod", "edit", "-json"), &mod)
	for _, r := range mod.Replace {
		t.Errorf("go.mod: replaces %s", r.Old.Path)
	}
	for _, r := range mod.Require {
		allowed := slices.ContainsFunc(direct, func(pattern string) bool {
			prefix, wild := strings.CutSuffix(pattern, "*")
			return r.Path == prefix || wild && strings.HasPrefix(r.Path, prefix)
		})
		if !r.Indirect && !allowed {
			t.Errorf("go.mod: requires %s: a new dependency needs a reason in CONTRIBUTING.md and, as a rule, a nested module", r.Path)
		}
	}
}

// The workspace has every module but tools, whose requirements must not decide the versions of the others.
func TestWorkspace(t *testing.T) {
	var work struct{ Use []struct{ DiskPath string } }
	decode(t, goOutput(t, "work", "edit", "-json", "go.work"), &work)
	var used []string
	for _, u := range work.Use {
		used = append(used, path.Clean(u.DiskPath))
	}
	for _, file := range treeFiles(t) {
		dir := path.Dir(file)
		if path.Base(file) == "go.mod" && slices.Contains(used, dir) == (dir == "tools") {
			t.Errorf("go.work: uses %s: %v, want %v", dir, dir == "tools", dir != "tools")
		}
	}
}

// No file is longer than can be held in mind.
func TestFileLength(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if lines := bytes.Count(f.text, []byte("\n")); !f.test && lines > maxLines {
			t.Errorf("%s: %d lines, want at most %d", f.path, lines, maxLines)
		}
	}
}

// Importing a package does nothing, and waiting outside of tests can be cancelled: no func init, no time.Sleep. The
// conformance suite is a test in another's test binary, and sleeps in its bubbles.
func TestNoInitNoSleep(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if f.test || f.dir == "dedupe/dedupetest" {
			continue
		}
		clock := f.nameOf("time")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: func init", f.at(n))
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && clock != "" && x.Name == clock && n.Sel.Name == "Sleep" {
					t.Errorf("%s: time.Sleep: select on a timer and the context", f.at(n))
				}
			}
			return true
		})
	}
}

// Nothing in a Go file depends on the machine it was written on or waits to be finished.
func TestFinishedText(t *testing.T) {
	machine := regexp.MustCompile(`(?:^|[^\w.\-/])/(?:home|Users|root|work|workspace|builds)/\w|[A-Z]:\\{1,2}Users`)
	unfinished := regexp.MustCompile(`\b(?:TO` + `DO|FIX` + `ME)\b`)
	for _, f := range sourceFiles(t) {
		for i, line := range strings.Split(string(f.text), "\n") {
			if found := machine.FindString(line); found != "" {
				t.Errorf("%s:%d: a path of one machine: %s", f.path, i+1, found)
			}
			if found := unfinished.FindString(line); found != "" {
				t.Errorf("%s:%d: %s: do it, or write it down where it is planned", f.path, i+1, found)
			}
		}
	}
}

// sourceFile is a parsed Go file of this repository.
type sourceFile struct {
	path, dir string // with slashes, from the root
	test      bool
	text      []byte
	ast       *ast.File
	fset      *token.FileSet
}

// sourceFiles parses the Go files of all modules, whatever their build constraints.
func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	for _, file := range treeFiles(t) {
		if path.Ext(file) != ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, file, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, sourceFile{file, path.Dir(file), strings.HasSuffix(file, "_test.go"), text, tree, fset})
	}
	return files
}

// treeFiles lists the files of this repository, without what go ignores and what was built.
func treeFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := path.Base(file)
		if entry.IsDir() && file != "." && (name[0] == '.' || name[0] == '_' || name == "testdata" || file == "dist") {
			return fs.SkipDir
		}
		if !entry.IsDir() {
			files = append(files, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// imports are the folders of our packages that f imports.
func (f sourceFile) imports() []string {
	var dirs []string
	for _, spec := range f.ast.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if imported == module {
			dirs = append(dirs, ".")
		} else if dir, ours := strings.CutPrefix(imported, module+"/"); ours {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// nameOf is the name under which f imports a package of the standard library, or nothing.
func (f sourceFile) nameOf(std string) string {
	for _, spec := range f.ast.Imports {
		if spec.Path.Value != strconv.Quote(std) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(std)
	}
	return ""
}

func (f sourceFile) at(n ast.Node) token.Position { return f.fset.Position(n.Pos()) }

// goOutput runs the go command on the root module alone, with the versions of its own go.mod.
func goOutput(t *testing.T, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// under tells whether a folder is dir or lies below it.
func under(folder, dir string) bool { return folder == dir || strings.HasPrefix(folder, dir+"/") }
