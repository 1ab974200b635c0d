package ddbtest

import "regexp"

type keyElement struct{ AttributeName, KeyType string }

type attributeDefinition struct{ AttributeName, AttributeType string }

type createTableInput struct {
	TableName            string
	BillingMode          string
	KeySchema            []keyElement
	AttributeDefinitions []attributeDefinition
}

func (in *createTableInput) apply(c *call) any {
	if !regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`).MatchString(in.TableName) {
		fail("ValidationException", "TableName must be 3 to 255 characters of a-z, A-Z, 0-9, '_', '-' and '.'")
	}
	if c.tables[in.TableName] != nil {
		fail("ResourceInUseException", "Table already exists: %s", in.TableName)
	}
	t := &table{name: in.TableName, types: map[string]string{}, items: map[string]Item{}}
	for _, k := range in.KeySchema {
		switch k.KeyType {
		case "HASH":
			t.hash = k.AttributeName
		case "RANGE":
			t.rng = k.AttributeName
		}
	}
	for _, a := range in.AttributeDefinitions {
		t.types[a.AttributeName] = a.AttributeType
	}
	if t.hash == "" || len(t.types) != len(in.KeySchema) {
		fail("ValidationException", "KeySchema and AttributeDefinitions do not match")
	}
	c.tables[t.name] = t
	return map[string]any{"TableDescription": t.describe()}
}

func (t *table) describe() any {
	schema := []keyElement{{t.hash, "HASH"}}
	if t.rng != "" {
		schema = append(schema, keyElement{t.rng, "RANGE"})
	}
	var attrs []attributeDefinition
	for _, name := range t.keyNames() {
		attrs = append(attrs, attributeDefinition{name, t.types[name]})
	}
	return map[string]any{
		"TableName": t.name, "TableStatus": "ACTIVE", "ItemCount": len(t.items),
		"TableArn":  "arn:aws:dynamodb:us-east-1:000000000000:table/" + t.name,
		"KeySchema": schema, "AttributeDefinitions": attrs,
		"BillingModeSummary": map[string]any{"BillingMode": "PAY_PER_REQUEST"},
	}
}

type describeTableInput struct{ TableName string }

func (in *describeTableInput) apply(c *call) any {
	return map[string]any{"Table": c.table(in.TableName).describe()}
}

type deleteTableInput struct{ TableName string }

func (in *deleteTableInput) apply(c *call) any {
	t := c.table(in.TableName)
	delete(c.tables, t.name)
	return map[string]any{"TableDescription": t.describe()}
}

type ttlSpecification struct {
	AttributeName string
	Enabled       bool
}

type updateTTLInput struct {
	TableName               string
	TimeToLiveSpecification ttlSpecification
}

func (in *updateTTLInput) apply(c *call) any {
	t, spec := c.table(in.TableName), in.TimeToLiveSpecification
	if spec.Enabled == (t.ttl != "") {
		fail("ValidationException", "TimeToLive is already %s", map[bool]string{true: "enabled", false: "disabled"}[spec.Enabled])
	}
	t.ttl = ""
	if spec.Enabled {
		t.ttl = spec.AttributeName
	}
	return map[string]any{"TimeToLiveSpecification": spec}
}

type describeTTLInput struct{ TableName string }

func (in *describeTTLInput) apply(c *call) any {
	d := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t := c.table(in.TableName); t.ttl != "" {
		d = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": t.ttl}
	}
	return map[string]any{"TimeToLiveDescription": d}
}
