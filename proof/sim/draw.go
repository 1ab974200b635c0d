package sim

import "pgregory.net/rapid"

// Family are the plans that have something in common.
type Family struct {
	Mode    Mode
	Ordered bool
}

// Draw draws a plan. What is rare is drawn last, and little of everything is
// the simplest, so that rapid shrinks towards a plan in which one thing goes
// wrong.
func (f Family) Draw(t *rapid.T) Plan {
	p := Plan{
		Mode: f.Mode, Ordered: f.Ordered,
		Seed:       rapid.Uint64Range(0, 1<<20).Draw(t, "seed"),
		Lease:      rapid.SampledFrom([]int{3000, 1500, 6000, 15000}).Draw(t, "lease"),
		Visibility: rapid.SampledFrom([]int{5, 2, 10, 20}).Draw(t, "visibility"),
		Receives:   rapid.SampledFrom([]int{10, 3, 5}).Draw(t, "receives"),
		Calm:       rapid.SampledFrom([]int{10000, 20000, 30000}).Draw(t, "calm"),
	}
	p.Hosts = rapid.SliceOfN(rapid.Custom(drawHost), 1, 3).Draw(t, "hosts")
	p.Keys = rapid.SliceOfN(rapid.Custom(drawKey), 1, 10).Draw(t, "keys")
	p.Messages = rapid.SliceOfN(drawMessage(len(p.Keys), p.Calm), 1, 16).Draw(t, "messages")
	if f.Ordered { // one instant each, so that what was sent first is known
		for i := range p.Messages {
			p.Messages[i].At += i
		}
	}
	chance := rapid.SampledFrom([]int{0, 10, 30})
	if !f.Ordered {
		p.Duplicate, p.Redeliver = chance.Draw(t, "duplicate"), chance.Draw(t, "redeliver")
		p.EmptyReceive = chance.Draw(t, "empty")
		p.Reorder, p.StaleDelete = often(t, "reorder"), often(t, "stale delete")
	}
	p.LateExtend, p.NoOldItem = often(t, "late extend"), often(t, "no old item")
	p.SingleItem, p.Linger = often(t, "single item"), often(t, "linger")
	if often(t, "clocks differ") {
		most := min(1000, p.Lease/5) / 2 // the guard's skew, halved
		for i := range p.Hosts {
			p.Hosts[i].Offset = rapid.SampledFrom([]int{0, -most, most}).Draw(t, "offset")
		}
	}
	p.Faults = rapid.SliceOfN(drawFault(f.Mode, p.Calm), 0, 14).Draw(t, "faults")
	p.Invocations = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) InvocationFault {
		kinds := []string{"twin", "again", "duplicates", "drop response", "throttle"}
		return InvocationFault{rapid.IntRange(0, 10).Draw(t, "nth"), rapid.SampledFrom(kinds).Draw(t, "kind")}
	}), 0, 3).Draw(t, "invocations")
	p.Kills = rapid.SliceOfN(drawKill(len(p.Hosts), p.Calm), 0, 4).Draw(t, "kills")
	p.Cuts = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Cut {
		length := rapid.SampledFrom([]int{1000, 5000, 20000})
		return Cut{rapid.IntRange(0, len(p.Hosts)-1).Draw(t, "host"), rapid.IntRange(0, 5).Draw(t, "nth"), length.Draw(t, "for")}
	}), 0, 2).Draw(t, "cuts")
	p.Stops = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Stop {
		return Stop{rapid.IntRange(0, len(p.Hosts)-1).Draw(t, "host"), rapid.IntRange(0, p.Calm).Draw(t, "at")}
	}), 0, 2).Draw(t, "stops")
	return p
}

// often is true one time in three, and false when it is made simpler.
func often(t *rapid.T, name string) bool { return rapid.IntRange(0, 2).Draw(t, name) == 2 }

func drawHost(t *rapid.T) Host {
	h := Host{Slots: rapid.SampledFrom([]int{4, 1, 10}).Draw(t, "slots")}
	if rapid.Bool().Draw(t, "lambda") {
		h.Lambda = true
		h.Batch = rapid.SampledFrom([]int{10, 1, 3}).Draw(t, "batch")
		h.Workers = rapid.IntRange(1, 2).Draw(t, "workers")
		h.Timeout = rapid.SampledFrom([]int{5000, 3000, 10000}).Draw(t, "timeout")
		return h
	}
	h.AbandonPolls = often(t, "abandon polls")
	return h
}

func drawKey(t *rapid.T) Key {
	k := Key{Group: rapid.IntRange(0, 2).Draw(t, "group")}
	switch rapid.IntRange(0, 7).Draw(t, "behaviour") {
	case 3:
		k.Fails = rapid.IntRange(1, 2).Draw(t, "fails")
	case 4:
		k.Spoils = 1
	case 5, 6:
		k.Slow = rapid.IntRange(1, 2).Draw(t, "slow")
		k.Takes = rapid.SampledFrom([]int{2000, 300, 5000, 9000}).Draw(t, "takes")
		k.Ignores = rapid.Bool().Draw(t, "ignores")
	case 7:
		k.Never = true
	}
	if k.Fails+k.Spoils > 0 {
		k.How = rapid.SampledFrom([]How{Errs, Panics, Retries, Exits}).Draw(t, "how")
	}
	return k
}

func drawMessage(keys, calm int) *rapid.Generator[Message] {
	return rapid.Custom(func(t *rapid.T) Message {
		return Message{rapid.IntRange(0, keys-1).Draw(t, "key"), rapid.IntRange(0, calm/2).Draw(t, "at")}
	})
}

func drawFault(m Mode, calm int) *rapid.Generator[Fault] {
	both := []FaultKind{Drop, DropAfter, Throttle, ServerError, Delay, DelayResponse, Late}
	ops := []string{"DeleteMessageBatch", "ReceiveMessage", "ChangeMessageVisibilityBatch", "SendMessage"}
	return rapid.Custom(func(t *rapid.T) Fault {
		f := Fault{
			Side: rapid.SampledFrom([]Side{DynamoDB, SQS}).Draw(t, "side"),
			Nth:  rapid.IntRange(0, 24).Draw(t, "nth"),
			Span: rapid.SampledFrom([]int{1, 2, 4, 10}).Draw(t, "span"),
			Ms:   rapid.SampledFrom([]int{100, 2000, 5000, 12000, 20000}).Draw(t, "ms"),
			Mask: rapid.IntRange(1, 255).Draw(t, "mask"),
		}
		kinds := both
		if f.Side == SQS {
			f.Op = rapid.SampledFrom(ops).Draw(t, "op")
			kinds = append(kinds[:len(kinds):len(kinds)], BadMD5, Truncate, Entries, Entries)
		} else {
			kinds = append(kinds[:len(kinds):len(kinds)], Statements, Unprocessed)
			requests := []string{"", "", "PutItem", "BatchExecuteStatement", "BatchGetItem"}
			if m == Tx {
				kinds = append(kinds, Hold)
				requests = append(requests, "TransactWriteItems", "TransactWriteItems")
			}
			f.Op = rapid.SampledFrom(requests).Draw(t, "request")
			if f.Op != "" {
				f.Nth /= 3 // there are fewer of them
			}
		}
		f.Kind = rapid.SampledFrom(kinds).Draw(t, "kind")
		if rapid.IntRange(0, 9).Draw(t, "outage") == 9 {
			f.From, f.For = rapid.IntRange(0, calm).Draw(t, "from"), rapid.IntRange(500, 12000).Draw(t, "for")
		}
		return f
	})
}

func drawKill(hosts, calm int) *rapid.Generator[Kill] {
	points := []Point{AfterEffect, BeforeEffect, AfterRequest, BeforeRequest, AtTime}
	return rapid.Custom(func(t *rapid.T) Kill {
		k := Kill{Host: rapid.IntRange(0, hosts-1).Draw(t, "host"), At: rapid.SampledFrom(points).Draw(t, "at")}
		switch k.At {
		case AfterEffect, BeforeEffect:
			k.Nth = rapid.IntRange(0, 8).Draw(t, "nth")
		case AfterRequest, BeforeRequest:
			k.Nth = rapid.IntRange(0, 24).Draw(t, "nth")
		case AtTime:
			k.Nth = rapid.IntRange(0, calm).Draw(t, "ms")
		}
		return k
	})
}
