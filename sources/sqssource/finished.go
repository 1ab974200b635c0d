package sqssource

// remembered is how many finished messages are remembered at most whose delete
// failed.
const remembered = 10_000

// memory remembers the ids of messages whose work is done and that could not
// be deleted, the latest of them. Guarded by run.mu.
type memory struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func (f *memory) add(id string) {
	if f.ids == nil {
		f.ids = make(map[string]struct{})
	}
	if _, known := f.ids[id]; known {
		return
	}
	f.ids[id] = struct{}{}
	if len(f.ring) < remembered {
		f.ring = append(f.ring, id)
		return
	}
	delete(f.ids, f.ring[f.next])
	f.ring[f.next] = id
	f.next = (f.next + 1) % remembered
}

// has reports whether id is remembered.
func (f *memory) has(id string) bool {
	_, known := f.ids[id]
	return known
}
