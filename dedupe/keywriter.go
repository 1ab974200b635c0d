package dedupe

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
)

// KeyWriter takes the parts of a key. Parts of different types are different
// even where their text is equal: the string "1" is not the number 1, and the
// parts "a", "bc" are not "ab", "c".
type KeyWriter struct {
	buf     []byte
	scratch []byte
	parts   int
	err     error // of the first bad part
	scan    scanner
}

// The types of parts. A part that is long or not printable has the capital
// of its type and holds the SHA-256 of its text.
const (
	tagString = 's'
	tagNumber = 'n'
	tagBool   = 'b'
	tagScope  = 'x'
	tagBody   = 'B' // always a SHA-256
	tagFolded = 'P' // a SHA-256 of all parts together
)

// maxPlain is the length up to which a part is written as it is. It keeps
// the usual identities readable and a key of a few parts below maxKey.
const maxPlain = 128

// String writes a string. An empty one makes the whole key fail with
// [ErrNoKey]: it identifies nothing.
func (w *KeyWriter) String(s string) { put(w, tagString, s) }

// Number writes a number as it is spelled: 1, 1.0 and 1e0 are three different
// parts, and no digit is lost. An empty literal makes the whole key fail.
func (w *KeyWriter) Number(literal string) { put(w, tagNumber, literal) }

// Bool writes a boolean.
func (w *KeyWriter) Bool(b bool) { put(w, tagBool, strconv.FormatBool(b)) }

// Scope writes a name that sets keys apart from those of records: no value in
// a record, and no other method, gives such a part.
func (w *KeyWriter) Scope(name string) { put(w, tagScope, name) }

// put writes "/", the type, the length, ":" and the text. Since the length
// comes first, nothing in a text can be taken for the start of another part.
func put[T string | []byte](w *KeyWriter, tag byte, text T) {
	switch {
	case len(text) == 0:
		if w.err == nil {
			w.err = &KeyError{Part: fmt.Sprintf("part %d", w.parts+1), Err: ErrNoKey}
		}
	case plain(text):
		w.buf = append(w.buf, '/', tag)
		w.buf = strconv.AppendUint(w.buf, uint64(len(text)), 10)
		w.buf = append(w.buf, ':')
		w.buf = append(w.buf, text...)
		w.parts++
	default:
		w.scratch = append(w.scratch[:0], text...)
		w.digest(tag-'a'+'A', w.scratch)
	}
}

// plain reports whether text may stand in a key as it is.
func plain[T string | []byte](text T) bool {
	if len(text) > maxPlain {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c < '!' || c > '~' {
			return false
		}
	}
	return true
}

// digest writes a part that is the SHA-256 of text.
func (w *KeyWriter) digest(tag byte, text []byte) {
	sum := sha256.Sum256(text)
	w.buf = append(w.buf, '/', tag, '4', '3', ':')
	w.buf = base64.RawURLEncoding.AppendEncode(w.buf, sum[:])
	w.parts++
}

// fold replaces all that follows the prefix by one digest.
func (w *KeyWriter) fold(prefix int) {
	w.scratch = append(w.scratch[:0], w.buf[prefix:]...)
	w.buf = w.buf[:prefix]
	w.digest(tagFolded, w.scratch)
}

// reset empties w and starts with prefix.
func (w *KeyWriter) reset(prefix []byte) {
	w.buf = append(w.buf[:0], prefix...)
	w.parts = 0
	w.err = nil
}
