package ddbtest

type keysAndAttributes struct {
	Keys           []Item
	ConsistentRead bool `json:",omitempty"`
	expressions
}

type batchGetInput struct {
	RequestItems           map[string]keysAndAttributes
	ReturnConsumedCapacity string
}

func (in *batchGetInput) keys(c *call) []string {
	var out []string
	for name, r := range in.RequestItems {
		out = append(out, c.hashes(name, r.Keys...)...)
	}
	return out
}

func (in *batchGetInput) apply(c *call) any {
	responses, left := map[string][]Item{}, map[string]any{}
	n := 0
	for name, r := range in.RequestItems {
		t, p := c.table(name), r.parse()
		seen := map[string]bool{}
		var unprocessed []Item
		responses[name] = []Item{}
		for _, key := range r.Keys {
			k := t.onlyKey(key)
			if seen[k] {
				fail("ValidationException", "Provided list of item keys contains duplicates")
			}
			seen[k] = true
			if n++; n > 100 {
				fail("ValidationException", "Too many items requested for the BatchGetItem call")
			}
			if c.action.Unprocessed[n-1] {
				unprocessed = append(unprocessed, key)
				continue
			}
			i := t.items[k]
			c.looked(t, i, r.ConsistentRead)
			if i != nil {
				responses[name] = append(responses[name], p.project(i))
			}
		}
		if unprocessed != nil {
			left[name] = map[string]any{"Keys": unprocessed, "ConsistentRead": r.ConsistentRead}
		}
	}
	if n == 0 {
		fail("ValidationException", "The requestItems parameter is required")
	}
	out := map[string]any{"Responses": responses, "UnprocessedKeys": left}
	if used := c.capacities(in.ReturnConsumedCapacity); used != nil {
		out["ConsumedCapacity"] = used
	}
	return out
}
