package httpsource

import (
	"errors"

	"github.com/onlyonce-go/onlyonce/internal/httpbuf"
)

var (
	Encode = encode
	Decode = decode
)

// IsLost reports whether err says that a response was not kept.
func IsLost(err error) bool { return errors.Is(err, errLost) }

// Response is what Encode takes and Decode returns.
type Response = httpbuf.Response
