package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// The marks between which the figures stand.
const (
	beginMark = "<!-- figures: begin (written by make proof) -->\n"
	endMark   = "<!-- figures: end -->\n"
)

var errMarks = errors.New("it does not have the marks of the figures, each once and in order")

// replace returns the text with these figures between its marks.
func replace(text, figures string) (string, error) {
	before, rest, begins := strings.Cut(text, beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends || strings.Count(text, beginMark) > 1 || strings.Count(text, endMark) > 1 {
		return "", errMarks
	}
	return before + beginMark + figures + endMark + after, nil
}

// place returns the text of the document with these figures in their place.
func place(name, figures string) (string, error) {
	old, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	text, err := replace(string(old), figures)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// rewrite puts the figures into the document.
func rewrite(name, figures string) error {
	text, err := place(name, figures)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}
