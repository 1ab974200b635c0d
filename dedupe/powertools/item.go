package powertools

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// skew is how far the clocks of the old workers may be from ours.
const skew = time.Second

// state is what the Powertools table says of a record.
type state int

const (
	open state = iota // nobody did it, nobody holds it
	held              // a worker there may be at it
	done              // finished there
)

// entry is an item of the Powertools table, as far as it matters here.
type entry struct {
	state   state
	until   time.Time // of held: when the worker there has lost it
	payload string    // the validation hash, empty for none
}

// read understands an item as the libraries do when they claim it: see the
// condition of their PutItem. There the end of the record, in seconds, ends
// also a lease that is still running; here it does not.
func (o *Options) read(item map[string]types.AttributeValue, now time.Time) (entry, error) {
	if len(item) == 0 {
		return entry{}, nil
	}
	expiry, hasExpiry, err := instant(item, o.ExpiryAttr, time.Second)
	if err != nil {
		return entry{}, err
	}
	if !hasExpiry {
		return entry{}, fmt.Errorf("no attribute %s", o.ExpiryAttr)
	}
	lease, hasLease, err := instant(item, o.InProgressExpiryAttr, time.Millisecond)
	if err != nil {
		return entry{}, err
	}
	status, err := text(item, o.StatusAttr)
	if err != nil {
		return entry{}, err
	}
	e := entry{}
	if e.payload, err = text(item, o.ValidationAttr); err != nil {
		return entry{}, err
	}
	switch status {
	case "COMPLETED":
		if !now.After(expiry) {
			e.state = done
		}
	case "INPROGRESS":
		e.until = expiry
		if hasLease {
			e.until = lease
		}
		if e.until = e.until.Add(skew); now.Before(e.until) {
			e.state = held
		}
	default:
		return entry{}, fmt.Errorf("attribute %s is %q", o.StatusAttr, status)
	}
	return e, nil
}

// text is an attribute that is a string, empty when there is none.
func text(item map[string]types.AttributeValue, name string) (string, error) {
	switch v := item[name].(type) {
	case nil, *types.AttributeValueMemberNULL:
		return "", nil
	case *types.AttributeValueMemberS:
		return v.Value, nil
	default:
		return "", fmt.Errorf("attribute %s is no string", name)
	}
}

var errNoTime = errors.New("is no time")

// instant is an attribute that is a time in units since 1970. Early versions
// of the TypeScript library wrote fractions.
func instant(item map[string]types.AttributeValue, name string, unit time.Duration) (time.Time, bool, error) {
	v, ok := item[name].(*types.AttributeValueMemberN)
	if !ok {
		if item[name] == nil {
			return time.Time{}, false, nil
		}
		return time.Time{}, false, fmt.Errorf("attribute %s %w", name, errNoTime)
	}
	n, err := strconv.ParseFloat(v.Value, 64)
	ms := n * float64(unit/time.Millisecond)
	if err != nil || math.IsNaN(ms) || ms < 0 || ms > 1<<53 {
		return time.Time{}, false, fmt.Errorf("attribute %s %w: %s", name, errNoTime, v.Value)
	}
	return time.UnixMilli(int64(ms)), true, nil
}
