package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// flagSet is a flag.FlagSet whose flags have environment variables.
type flagSet struct {
	*flag.FlagSet
	order []string // the flags in the order in which help tells them
}

func newFlagSet(name string) *flagSet {
	fs := &flagSet{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	fs.SetOutput(io.Discard) // a mistake is told in one line, by run
	fs.Usage = func() {}
	return fs
}

// value is a flag whose text is checked when it is set.
type value[T any] struct {
	to    *T
	text  string
	parse func(string) (T, error)
}

// String returns the text that the value was made of.
func (v *value[T]) String() string { return v.text }

// Set takes a new text.
func (v *value[T]) Set(text string) error {
	parsed, err := v.parse(text)
	if err != nil {
		return err
	}
	*v.to, v.text = parsed, text
	return nil
}

// define adds a flag. Its default is given as text and must be valid; an
// empty one leaves the flag unset. usage names the argument in `quotes`.
func define[T any](fs *flagSet, name string, to *T, parse func(string) (T, error), text, usage string) {
	v := &value[T]{to: to, parse: parse}
	if text != "" {
		if err := v.Set(text); err != nil {
			panic(fmt.Sprintf("%s: default of --%s: %v", program, name, err))
		}
	}
	fs.Var(v, name, usage)
	fs.order = append(fs.order, name)
}

// toggle adds a flag without an argument, which is unset by default.
func (fs *flagSet) toggle(name string, to *bool, usage string) {
	fs.Var(&toggled{value[bool]{to: to, text: "false", parse: parseBool}}, name, usage)
	fs.order = append(fs.order, name)
}

// toggled is a flag that its name alone sets.
type toggled struct{ value[bool] }

// IsBoolFlag tells package flag so.
func (*toggled) IsBoolFlag() bool { return true }

// variable returns the name of the environment variable of a flag.
func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// readVariables sets the flags that were not given from their variables. An
// empty variable is one that is not set.
func (fs *flagSet) readVariables(getenv func(string) string) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, name := range fs.order {
		text := getenv(variable(name))
		if given[name] || text == "" {
			continue
		}
		if err := fs.Lookup(name).Value.Set(text); err != nil {
			return usagef("invalid value %q for variable %s: %v (see %s %s --help)", text, variable(name), err, program, fs.Name())
		}
	}
	return nil
}

// printFlags tells every flag with its variable and its default.
func (fs *flagSet) printFlags(w io.Writer) {
	for _, name := range fs.order {
		f := fs.Lookup(name)
		arg, usage := flag.UnquoteUsage(f)
		if arg != "" {
			arg = " " + arg
		}
		def := "default " + f.DefValue
		if f.DefValue == "" || f.DefValue == "false" {
			def = ""
		}
		writeLines(w, "  --"+name+arg)
		for line := range strings.Lines(usage) {
			writeLines(w, "        "+strings.TrimSpace(line))
		}
		writeLines(w, "        "+strings.TrimSuffix("$"+variable(name)+", "+def, ", "))
	}
}
