package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// command is one of the program's commands.
type command struct {
	name    string
	summary string // one line
	text    string // for its help
	flags   func(*flagSet, *settings)
	foreign map[string]string    // flags of other commands, and why not here
	check   func(settings) error // what no flag can check alone
	run     func(context.Context, process, settings) error
}

// commands returns the commands of this build, the default one first.
func commands() []command {
	return []command{demoCommand(), lambdaCommand(), pollCommand(), httpCommand(), duplicatesCommand()}
}

// laterCommands are known and come with later builds.
func laterCommands() []string { return nil }

func commandNames() []string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

// settings is what flags and variables say.
type settings struct {
	store       storeRef
	consumer    string
	source      source
	replay      replay
	key         key
	lease       time.Duration
	retain      time.Duration
	concurrency int
	effectURL   string

	// Of poll only.
	queueURL     string
	abandonPolls bool
	healthListen string

	// Of http only.
	listen string

	logLevel level

	// Of duplicates only.
	settle time.Duration

	// Of the demo, and some of duplicates.
	messages   int
	duplicates float64
	failures   float64
	seed       uint64
	via        string
	json       bool
}

// parse reads flags, and variables for the flags that are not given.
func (c command) parse(args []string, getenv func(string) string) (settings, error) {
	var s settings
	fs := newFlagSet(c.name)
	c.flags(fs, &s)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		name, undefined := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
		if why := c.foreign[name]; undefined && why != "" {
			return s, usagef("--%s is no flag of %s: %s (see %s %s --help)", name, c.name, why, program, c.name)
		}
		dashes := strings.NewReplacer("flag -", "flag --", "for -", "for --", "defined: -", "defined: --", "argument: -", "argument: --")
		return s, usagef("%s (see %s %s --help)", dashes.Replace(err.Error()), program, c.name)
	}
	if fs.NArg() > 0 {
		return s, usagef("unexpected argument %q: flags begin with -- (see %s %s --help)", fs.Arg(0), program, c.name)
	}
	if err := fs.readVariables(getenv); err != nil {
		return s, err
	}
	return s, c.check(s)
}

// printHelp tells everything about one command.
func (c command) printHelp(w io.Writer) {
	writeLines(w, "Usage: "+program+" "+c.name+" [flags]", "", c.text, "")
	fs := newFlagSet(c.name)
	c.flags(fs, new(settings))
	fs.printFlags(w)
}

// printOverview tells what there is, with every flag.
func printOverview(w io.Writer) {
	writeLines(w, "Usage: "+program+" ["+strings.Join(commandNames(), "|")+"] [flags]", "",
		"A worker whose orders take effect once, however often their messages arrive.",
		"Without a command: lambda where "+runtimeAPI+" is set, else demo.",
		"Every flag can be set by the variable behind the $; the flag wins.", "")
	for _, c := range commands() {
		writeLines(w, c.name+" - "+c.summary, "")
		fs := newFlagSet(c.name)
		c.flags(fs, new(settings))
		fs.printFlags(w)
		writeLines(w, "")
	}
}

func writeLines(w io.Writer, lines ...string) {
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}
