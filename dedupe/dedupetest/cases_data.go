package dedupetest

import (
	"bytes"
	"strings"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

func dataCases() []testCase {
	return []testCase{{
		name: "keys/exact bytes",
		rule: "keys are exact bytes: case, spaces, Unicode forms, NUL and length all tell keys apart",
		run: func(s *subject) {
			long := dedupe.Key(strings.Repeat("k", 1023))
			keys := []dedupe.Key{
				"key", "KEY", "Key", "key ", " key", "key\n", "key\x00", "key\x00a", "k\x00ey",
				"caf\u00e9", "cafe\u0301", "\u212b", "\u00c5", "stra\u00dfe", "strasse",
				"1", "1.0", "01", "a/b", "a//b", "a%2Fb", "%", "_", "'", "\"", "a*", "a?", "\\", "\ufeffkey",
				long + "a", long + "b", long,
			}
			claims := make([]dedupe.Op, len(keys))
			for i, key := range keys {
				claims[i] = s.claim(key)
				claims[i].Fingerprint = string(key)
			}
			for i, v := range s.group(claims) {
				if v.Outcome != dedupe.Won {
					failf("%s after claims of other keys: %v, want won", describe(claims[i]), v.Outcome)
				}
			}
			s.do(complete(claims[0]), dedupe.Applied)
			for _, key := range keys {
				s.look(key)
			}
		},
	}, {
		name: "round trip/claim and failure",
		rule: "fingerprint and last error come back as they were given",
		run: func(s *subject) {
			claim := s.claim("k")
			claim.Fingerprint = "sha256:\u00e9 'quoted' \"twice\" 100% \\ " + strings.Repeat("f", 64)
			s.do(claim, dedupe.Won)
			failed := release(claim, true)
			failed.Error = "line one\nline two \u2713 'quoted'"
			s.do(failed, dedupe.Applied)
			s.look("k")
			next := s.claim("k") // without a fingerprint
			s.do(next, dedupe.Won)
			s.do(complete(next), dedupe.Applied) // clears the last error
			s.look("k")
		},
	}, {
		name: "round trip/owner and times",
		rule: "owners are 16 arbitrary bytes and times exact milliseconds",
		run: func(s *subject) {
			for i, owner := range []dedupe.Owner{
				{},
				{0xff, 0xfe, 0, 0x80, '"', '\'', '\\', '\n', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			} {
				claim := s.claim(dedupe.Key("k" + string(rune('0'+i))))
				claim.Owner = owner
				claim.LeaseEnd += 123
				claim.RetainEnd += 456
				s.do(claim, dedupe.Won)
				s.look(claim.Key)
			}
		},
	}, {
		name: "round trip/result",
		rule: "a result comes back byte for byte to every later duplicate, and so does the note that one was lost",
		run: func(s *subject) {
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			for key, result := range map[dedupe.Key][]byte{
				"none": nil, "empty": {}, "zero": {0}, "every": every, "utf8": []byte("\u00e9\u2713"),
				"large": bytes.Repeat(every, 64),
			} {
				claim := s.claim(key)
				s.do(claim, dedupe.Won)
				done := complete(claim)
				done.Result = result
				s.do(done, dedupe.Applied)
				s.do(s.claim(key), dedupe.Done)
			}
			claim := s.claim("lost")
			s.do(claim, dedupe.Won)
			done := complete(claim)
			done.ResultLost = true
			s.do(done, dedupe.Applied)
			s.do(s.claim("lost"), dedupe.Done)
		},
	}, {
		name: "buffers/caller's",
		rule: "a store keeps no memory of the caller's: not the operations, not the bytes of a result",
		run: func(s *subject) {
			claim := s.claim("k")
			s.do(claim, dedupe.Won)
			want := []byte("the result")
			ops := []dedupe.Op{complete(claim)}
			ops[0].Result = bytes.Clone(want)
			given, result := ops[0], ops[0].Result
			verdicts := s.group(ops)
			if !bytes.Equal(result, want) || ops[0].Key != given.Key || ops[0].Owner != given.Owner {
				failf("Apply changed its caller's operation")
			}
			s.rows["k"] = withResult(verdicts[0].Row, want)
			copy(result, "XXXXXXXXXX")
			ops[0] = dedupe.Op{Kind: dedupe.OpRelease, Key: "k"}
			s.look("k")
		},
	}, {
		name: "buffers/verdicts",
		rule: "verdicts belong to the caller: what it does to them changes no row",
		run: func(s *subject) {
			claim := s.claim("k")
			verdicts := s.group([]dedupe.Op{claim})
			verdicts[0] = dedupe.Verdict{Outcome: dedupe.Done, Row: dedupe.Row{State: dedupe.Completed}}
			s.do(s.claim("k"), dedupe.Busy)
			again := s.apply([]dedupe.Op{s.claim("k")})
			again[0].Row.State, again[0].Row.Owner = dedupe.Failed, dedupe.Owner{}
			s.do(complete(claim), dedupe.Applied)
		},
	}}
}

// withResult returns r with its own copy of a result it already has.
func withResult(r dedupe.Row, result []byte) dedupe.Row {
	if !r.ResultLost {
		r.Result = bytes.Clone(result)
	}
	return r
}
