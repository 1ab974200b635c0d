package main

import (
	"fmt"
	"io"
	"strings"
)

// missing tells which programs are not there and what follows from it. A part
// that cannot be run without one is told why; an error means that nothing can
// be run at all.
func missing(look func(string) (string, error), parts []part, stderr io.Writer) error {
	there := func(program string) bool {
		_, err := look(program)
		return err == nil
	}
	var none []string
	for _, program := range []string{"go", "make", "bash"} {
		if !there(program) {
			none = append(none, program)
		}
	}
	if len(none) > 0 {
		return fmt.Errorf("missing: %s", strings.Join(none, ", "))
	}
	for i := range parts {
		for _, n := range parts[i].needs {
			switch {
			case there(n.program):
			case n.without != "":
				fmt.Fprintf(stderr, "missing: %s; %s is left out\n", n.program, n.without)
			case n.or != "" && there(n.or):
				fmt.Fprintf(stderr, "missing: %s; as root %s installs it\n", n.program, n.or)
			default:
				parts[i].cannot = append(parts[i].cannot, n.program)
				fmt.Fprintf(stderr, "missing: %s; %s is not run\n", n.program, parts[i].name)
			}
		}
	}
	return nil
}
