package dynamodedupe

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/onlyonce-go/onlyonce/dedupe"
)

// ItemOf and ParseRow are the stored form of rows, for its round-trip and
// fuzz tests.
func ItemOf(key dedupe.Key, r *dedupe.Row) map[string]types.AttributeValue {
	return itemOf(key, r)
}

func ParseRow(key dedupe.Key, item map[string]types.AttributeValue) (dedupe.Row, error) {
	return parseRow(key, item)
}
