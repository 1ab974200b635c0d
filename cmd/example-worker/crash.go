package main

// crash plans the one moment at which the demo kills its worker: while a
// batch is being worked on of which some effects are applied and others not.
// The ledger's mutex guards it.
type crash struct {
	after int   // effects to be applied before
	fresh int   // orders without an effect that the batch must have
	calls int   // calls of the batch up to the deadly one
	batch int32 // the batch, none when negative
	state crashState
	life  int32         // how often a process was killed
	gone  chan struct{} // closed when it has happened
}

type crashState int

const (
	crashAhead crashState = iota
	crashNow              // the process is being killed
	crashOver
)

// newCrash plans a crash after two fifths of the orders; of very few orders,
// in the first batch.
func newCrash(orders int) crash {
	c := crash{after: orders * 2 / 5, fresh: min(3, orders), calls: min(2, orders), batch: -1, gone: make(chan struct{})}
	if orders < 5*demoBatch {
		c.after = 0
	}
	return c
}

// consider makes a batch the one to die if it is time and it has enough to
// lose.
func (c *crash) consider(batch int32, fresh, effects int) {
	if c.state == crashAhead && c.batch < 0 && effects >= c.after && fresh >= c.fresh {
		c.batch = batch
	}
}

// victim tells whether the batch is the one to die.
func (c *crash) victim(batch int32) bool {
	return c.state == crashAhead && c.batch >= 0 && c.batch == batch
}

// strikes counts a call of the victim and tells whether it is the deadly one.
func (c *crash) strikes() bool {
	if c.calls--; c.calls > 0 {
		return false
	}
	c.state = crashNow
	return true
}

// spare looks for another victim when the batch ended too soon.
func (c *crash) spare(batch int32) {
	if c.state == crashAhead && c.batch == batch {
		c.batch = -1
	}
}

// holds tells whether calls have to wait because their caller is being killed.
func (c *crash) holds() bool { return c.state == crashNow }

// over is told that the process is gone.
func (c *crash) over() {
	c.state = crashOver
	c.life++
	close(c.gone)
}
