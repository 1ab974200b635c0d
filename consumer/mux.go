package consumer

import (
	"context"
	"fmt"
)

// NoHandlerError is the failure of a record for whose type a [Mux] has no
// handler. It is not permanent: a newer deployment may know the type.
type NoHandlerError struct {
	Type string // the record's type
}

func (e *NoHandlerError) Error() string {
	return fmt.Sprintf("consumer: no handler for type %q", e.Type)
}

// Mux is a Handler that routes each record by its Type. The zero value is
// ready to use. Register all handlers before the first record arrives: Handle
// must not be called at the same time as HandleRecord.
type Mux struct {
	routes map[string]Handler

	// Default handles records of types that have no handler of their own.
	// Defaults to failing them with a [NoHandlerError].
	Default Handler
}

// Handle registers h for records of type typ. It panics when h is nil or typ
// has a handler already.
func (m *Mux) Handle(typ string, h Handler) {
	if h == nil {
		panic("consumer: Mux.Handle needs a handler")
	}
	if _, dup := m.routes[typ]; dup {
		panic(fmt.Sprintf("consumer: Mux has a handler for type %q already", typ))
	}
	if m.routes == nil {
		m.routes = make(map[string]Handler)
	}
	m.routes[typ] = h
}

// HandleRecord calls the handler of the record's type.
func (m *Mux) HandleRecord(ctx context.Context, rec *Record) error {
	if h, ok := m.routes[rec.Type]; ok {
		return h.HandleRecord(ctx, rec)
	}
	if m.Default != nil {
		return m.Default.HandleRecord(ctx, rec)
	}
	return &NoHandlerError{Type: rec.Type}
}
