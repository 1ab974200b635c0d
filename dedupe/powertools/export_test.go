package powertools

// Text is the text that the library hashes.
func (l Library) Text(value []byte) ([]byte, error) { return l.text(value) }
