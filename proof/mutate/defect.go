package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// defect is one way to break the code.
type defect struct {
	area   string
	name   string // short, and of this defect only
	file   string // from the root of the repository
	old    string // what stands in file, once
	new    string
	breaks string  // what is wrong with the code then
	checks []check // that should notice, the cheapest first
}

// check is one run of go test.
type check struct {
	dir string // of its module, from the root of the repository
	pkg string
	run string // the tests, all when empty
}

// of returns the check that runs these tests of a package of the root module.
func of(pkg string, tests ...string) check {
	return check{dir: ".", pkg: "./" + pkg, run: strings.Join(tests, "|")}
}

// where returns the folder of its package, from the root of the repository.
func (c check) where() string { return path.Join(c.dir, c.pkg) }

func (c check) String() string {
	s := c.where()
	if c.run != "" {
		s += " -run " + c.run
	}
	return s
}

// apply returns the text of the defect's file with the defect in it.
func (d *defect) apply(root string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(root, d.file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	if n := strings.Count(string(b), d.old); n != 1 {
		return nil, fmt.Errorf("%s: its text is %d times in %s, want once: the list of defects is older than the code", d.name, n, d.file)
	}
	return []byte(strings.Replace(string(b), d.old, d.new, 1)), nil
}

// defects returns all of them.
func defects() []defect {
	var all []defect
	for _, area := range []struct {
		name string
		list []defect
	}{
		{"protocol", protocolDefects()},
		{"guard", guardDefects()},
		{"batch", batchDefects()},
		{"lambdasource", lambdaDefects()},
		{"memdedupe", memoryDefects()},
		{"boltdedupe", boltDefects()},
		{"dynamodedupe", dynamoDefects()},
		{"sqssource", pollerDefects()},
		{"keys", keyDefects()},
	} {
		for _, d := range area.list {
			d.area = area.name
			all = append(all, d)
		}
	}
	return all
}
