package main

import (
	"cmp"
	"fmt"
	"regexp"
	"time"
)

// cell is one setting in which all consumers are compared.
type cell struct {
	RTT     time.Duration // how long the server takes to answer
	Handler time.Duration // how long a handler waits; 0 returns at once
}

func (c cell) String() string { return fmt.Sprintf("%v/%v", c.RTT, c.Handler) }

func cells() []cell {
	const rtt, work = 5 * time.Millisecond, 20 * time.Millisecond
	return []cell{{0, 0}, {rtt, 0}, {0, work}, {rtt, work}}
}

// contender is a consumer that is measured.
type contender struct {
	Kind   string // of bare, gocloud, onlyonce
	Flight int    // messages that are handled at once
	Dedupe string // memory, bolt or nothing
}

func (c contender) String() string {
	return fmt.Sprintf("%s-%d", c.Kind, c.Flight) + cmp.Or(map[string]string{"memory": "-memory", "bolt": "-bolt"}[c.Dedupe], "")
}

const (
	bare     = "bare"
	gocloud  = "gocloud"
	onlyonce = "onlyonce"
	memory   = "memory"
	bolt     = "bolt"
)

// perReceive is how many messages a receiver of the bare loop handles at once: 8 and 32 receivers are 80 and 320 messages.
const perReceive = 10

func flights() []int { return []int{8 * perReceive, 32 * perReceive} }

// order returns the contenders that match, each round beginning with another one.
func order(only *regexp.Regexp, round int) []contender {
	var all []contender
	for _, n := range flights() {
		for _, c := range []contender{
			{bare, n, ""}, {onlyonce, n, ""}, {onlyonce, n, memory}, {gocloud, n, ""}, {onlyonce, n, bolt},
		} {
			if only.MatchString(c.String()) {
				all = append(all, c)
			}
		}
	}
	if len(all) > 0 {
		round %= len(all)
	}
	return append(all[round:len(all):len(all)], all[:round]...)
}

// aim is what onlyonce is to reach beside the bare loop, in every cell and with as many messages in flight.
type aim struct {
	Text    string
	Dedupe  string
	Applies func(cell) bool
	Value   func(ours, theirs outcome) float64
	Limit   func(cell) float64
	AtLeast bool // the limit is the least, else the most
}

func aims() []aim {
	always := func(cell) bool { return true }
	cpu := func(ours, theirs outcome) float64 { return ours.CPU / theirs.CPU }
	limit := func(x float64) func(cell) float64 { return func(cell) float64 { return x } }
	return []aim{
		{
			Text: "rate, of the bare loop's", AtLeast: true, Limit: limit(1),
			Applies: func(c cell) bool { return c.RTT > 0 },
			Value:   func(ours, theirs outcome) float64 { return ours.Rate / theirs.Rate },
		},
		{Text: "CPU, of the bare loop's", Applies: always, Value: cpu, Limit: limit(1.15)},
		{
			Text: "requests per message", Applies: always,
			Value: func(ours, _ outcome) float64 { return ours.Requests },
			Limit: func(c cell) float64 {
				if c.Handler > 0 {
					return 0.3
				}
				return 0.22
			},
		},
		{Text: "CPU with memory, of the bare loop's", Dedupe: memory, Applies: always, Value: cpu, Limit: limit(1.4)},
	}
}

// anyName matches all contenders.
func anyName() *regexp.Regexp { return regexp.MustCompile("") }
