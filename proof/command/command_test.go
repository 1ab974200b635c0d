package command_test

import (
	"context"
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/onlyonce-go/onlyonce/proof/command"
)

type settings struct{ n int }

func (s *settings) Declare(fs *flag.FlagSet) { fs.IntVar(&s.n, "n", 1, "how many") }

func (s *settings) Check() error {
	if s.n < 0 {
		return errors.New("a negative number")
	}
	return nil
}

// The exit code says what came of the program, and stderr why; one that is
// called wrongly does no work.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args string
		err  error
		code int
		says string
	}{
		{"-n 2", nil, 0, ""},
		{"-n 2", errors.New("it broke"), command.Failed, "it broke"},
		{"-help", nil, 0, "how many"},
		{"-m", nil, command.Usage, "-m"},
		{"-n -1", nil, command.Usage, "a negative number"},
		{"-n 2 more", nil, command.Usage, `unknown argument "more"`},
	} {
		var s settings
		var stderr strings.Builder
		worked := false
		code := command.Run(t.Context(), "p", strings.Fields(c.args), &s, &stderr, func(context.Context) error {
			worked = s.n == 2
			return c.err
		})
		if code != c.code || !strings.Contains(stderr.String(), c.says) || worked != (c.args == "-n 2") {
			t.Errorf("%s: got %d, %q, worked %v; want %d, %q", c.args, code, stderr.String(), worked, c.code, c.says)
		}
	}
}
