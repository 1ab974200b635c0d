package model

// endless looks for a way on which the record never comes to an end although
// no more faults happen and nothing waits for ever. It returns nil when there
// is none.
//
// Such a way ends in a strongly connected part of the graph without faults and
// without ends. Nothing waits there for ever when each kind of step is either
// taken in that part or not possible in some state of it. (Kinds stand for
// single workers: that makes the rule a little coarser than it could be.)
func (s *search) endless() *Violation {
	for _, part := range s.parts() {
		if at, bad := s.fair(part); bad {
			trace := s.trace(s.came[at])
			return &Violation{Property: ends, Trace: append(trace, "and so on for ever")}
		}
	}
	return nil
}

// fair reports whether a fair way can stay in part for ever, and a state of
// such a way. A state without steps of its own stays where it is.
func (s *search) fair(part []uint32) (uint32, bool) {
	in := make(map[uint32]bool, len(part))
	for _, at := range part {
		in[at] = true
	}
	var taken [kinds]bool
	var possible [kinds]int
	for _, at := range part {
		var here [kinds]bool
		for _, e := range s.edgesOf(at) {
			here[e.kind()] = true
			taken[e.kind()] = taken[e.kind()] || in[e.to()]
		}
		for k, ok := range here {
			if ok {
				possible[k]++
			}
		}
	}
	if len(part) == 1 && len(s.edgesOf(part[0])) > 0 && taken == [kinds]bool{} {
		return 0, false // is left at once
	}
	for k := passing; k < kinds; k++ {
		if possible[k] == len(part) && !taken[k] {
			return 0, false
		}
	}
	return part[0], true
}

func (s *search) edgesOf(at uint32) []edge {
	end := uint32(len(s.edges))
	if int(at)+1 < len(s.first) {
		end = s.first[at+1]
	}
	return s.edges[s.first[at]:end]
}

// parts returns the strongly connected parts of the graph without ends
// (Tarjan's way, on a stack of our own).
func (s *search) parts() [][]uint32 {
	const unseen = 0
	var (
		index  = make([]uint32, len(s.came))
		low    = make([]uint32, len(s.came))
		open   = make([]bool, len(s.came))
		stack  []uint32
		visits []visit
		count  uint32
		parts  [][]uint32
	)
	enter := func(at uint32) {
		count++
		index[at], low[at], open[at] = count, count, true
		stack = append(stack, at)
		visits = append(visits, visit{at: at})
	}
	for root := range s.came {
		if index[root] != unseen || s.goal[root] {
			continue
		}
		for enter(uint32(root)); len(visits) > 0; {
			v := &visits[len(visits)-1]
			if edges := s.edgesOf(v.at); v.edge < len(edges) {
				to := edges[v.edge].to()
				v.edge++
				switch {
				case s.goal[to]:
				case index[to] == unseen:
					enter(to)
				case open[to]:
					low[v.at] = min(low[v.at], index[to])
				}
				continue
			}
			at := v.at
			visits = visits[:len(visits)-1]
			if len(visits) > 0 {
				up := visits[len(visits)-1].at
				low[up] = min(low[up], low[at])
			}
			if low[at] != index[at] {
				continue
			}
			var part []uint32
			for {
				top := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				open[top] = false
				part = append(part, top)
				if top == at {
					break
				}
			}
			parts = append(parts, part)
		}
	}
	return parts
}

// visit is a state whose edges are being followed.
type visit struct {
	at   uint32
	edge int
}
