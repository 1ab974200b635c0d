package dynamodedupe

import (
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

const firstBackoff = 25 * time.Millisecond

// backoff returns how long to wait before the nth retry: the doubled time of
// the one before, give or take half of it.
func backoff(n int) time.Duration {
	wait := firstBackoff << min(n-1, 4)
	return wait/2 + rand.N(wait)
}

// quickly makes the SDK's retries of one request wait for tenths of a second,
// as ours do: its own waits, of seconds, are longer than what a record has.
// What is retried and how often stays as the client was set up.
func quickly(o *dynamodb.Options) {
	if r, ok := o.Retryer.(aws.RetryerV2); ok {
		o.Retryer = quickRetryer{r}
	}
}

type quickRetryer struct{ aws.RetryerV2 }

// RetryDelay implements [aws.Retryer].
func (quickRetryer) RetryDelay(attempt int, _ error) (time.Duration, error) {
	return backoff(attempt), nil
}
