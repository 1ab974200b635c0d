package main

import (
	"bytes"
	"math/rand/v2"
	"time"

	"github.com/onlyonce-go/onlyonce/internal/awsproxy"
)

// point is where in its work a worker is killed.
type point string

// The points. At those that begin with "before" the request is lost with the
// worker, at those that begin with "after" it was carried out and only its
// answer is lost.
const (
	atRandom         point = "at random"
	afterReceive     point = "after a receive"
	afterClaim       point = "after a claim"
	beforeEffect     point = "before an effect"
	afterEffect      point = "after an effect"
	beforeCompletion point = "before a completion"
	afterCompletion  point = "after a completion"
	beforeDelete     point = "before a delete"
	afterDelete      point = "after a delete"
)

// allPoints are all of them, in the order of the work.
func allPoints() []point {
	return []point{
		atRandom, afterReceive, afterClaim, beforeEffect, afterEffect, beforeCompletion, afterCompletion, beforeDelete, afterDelete,
	}
}

// points returns those that can be met in this way on this store, the first of
// them more often: what is not on the network has no name.
func points(w way, store string) []point {
	ps := []point{atRandom, atRandom, beforeEffect, afterEffect}
	if store == onDynamoDB {
		ps = append(ps, afterClaim, beforeCompletion, afterCompletion)
	}
	if w == viaPoll {
		ps = append(ps, afterReceive, beforeDelete, afterDelete)
	}
	return ps
}

// plan is how one life is to end.
type plan struct {
	point point
	n     int           // at the point's nth request
	after time.Duration // since the start, at random
}

const (
	longestLife = 5 * time.Second        // of one that does not come to its point
	randomLife  = 600 * time.Millisecond // the start included, which takes a good part of it
)

func drawPlan(random *rand.Rand, ps []point) plan {
	p := plan{point: ps[random.IntN(len(ps))], n: 1 + random.IntN(3), after: longestLife}
	if p.point == atRandom {
		p.after = time.Duration(random.Int64N(int64(randomLife)))
	}
	if p.point == beforeEffect || p.point == afterEffect { // there is one for each order, not for ten
		p.n = 1 + random.IntN(30)
	}
	return p
}

// pointsOf returns the points before and after a request, if they have names.
func pointsOf(r awsproxy.Request) (before, after point) {
	switch r.Op {
	case "ReceiveMessage":
		return "", afterReceive
	case "DeleteMessageBatch":
		return beforeDelete, afterDelete
	case "BatchExecuteStatement", "PutItem":
		if bytes.Contains(r.Input, []byte(`"COMPLETED"`)) {
			return beforeCompletion, afterCompletion
		}
		return "", afterClaim
	}
	return "", ""
}
