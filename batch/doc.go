// Package batch runs the records of one delivery with bounded concurrency and
// yields each outcome as soon as it is known.
//
// A [Processor] starts nothing that its deadline leaves no room for, runs the
// records of one message group one after another where the source promises
// order, and lets no record take its neighbours down: a panic, a missing key
// or a store that does not answer fails that record alone. Every record
// counts as failed until there is proof that it is done.
//
//	p := batch.New(guard, handler, batch.Options{})
//	for rec, err := range p.Process(ctx, recs) {
//		// err == nil: rec may be acknowledged
//	}
package batch
