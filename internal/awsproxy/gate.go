package awsproxy

import (
	"net"
	"sync"
)

// gate is a listener that can be shut without giving up its port, which
// somebody else could take.
type gate struct {
	net.Listener

	mu   sync.Mutex
	down bool
	open map[net.Conn]struct{}
}

// Accept returns the next connection that comes while the gate is not shut.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		if !g.down {
			g.open[c] = struct{}{}
			g.mu.Unlock()
			return &gated{c, g}, nil
		}
		g.mu.Unlock()
		reset(c)
	}
}

// shut shuts the gate, and breaks what is open, or opens it again.
func (g *gate) shut(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
	if down {
		for c := range g.open {
			reset(c)
		}
		clear(g.open)
	}
}

// reset closes c so that its other end is told of an error.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it reads like a polite end
	}
	_ = c.Close()
}

// gated is a connection that the gate can break.
type gated struct {
	net.Conn
	gate *gate
}

// Close closes the connection.
func (c *gated) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.open, c.Conn)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
