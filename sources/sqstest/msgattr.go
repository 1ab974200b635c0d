package sqstest

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// wrongMD5 stands in the place of a checksum that a fault corrupts.
const wrongMD5 = "00000000000000000000000000000000"

// attribute is a message attribute.
type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// selectAttributes returns the attributes asked for: by name, by "prefix.*",
// or all by "All" and ".*".
func selectAttributes(attrs map[string]attribute, asked []string) map[string]attribute {
	out := map[string]attribute{}
	for _, want := range asked {
		prefix, wild := strings.CutSuffix(want, ".*")
		for name, a := range attrs {
			if want == "All" || want == name || wild && strings.HasPrefix(name, prefix) {
				out[name] = a
			}
		}
	}
	return out
}

func checkAttributes(attrs map[string]attribute) *Error {
	if len(attrs) > 10 {
		return invalidValue("Number of message attributes exceeds the allowed maximum [10].")
	}
	for name, a := range attrs {
		lower := strings.ToLower(name)
		if len(name) > 256 || !validAttributeName(name) || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
			return invalidValue("The message attribute name '" + name + "' is invalid.")
		}
		kind, _, _ := strings.Cut(a.DataType, ".")
		switch {
		case len(a.DataType) > 256 || kind != "String" && kind != "Number" && kind != "Binary":
			return invalidValue("The type of message attribute '" + name + "' is invalid. You must use only the following supported type prefixes: Binary, Number, String.")
		case kind == "Binary" && len(a.BinaryValue) == 0, kind != "Binary" && deref(a.StringValue) == "":
			return invalidValue("Message attribute '" + name + "' must contain a non-empty value of its type.")
		case !validText(deref(a.StringValue)):
			return newError("InvalidMessageContents", "The message attribute '"+name+"' contains characters outside the allowed set.")
		}
	}
	return nil
}

// validAttributeName tells whether name consists of parts between single
// periods, none of them empty.
func validAttributeName(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || !onlyNameCharacters(part) {
			return false
		}
	}
	return true
}

// attributesMD5 is the checksum that the developer guide describes under
// "Calculating the MD5 message digest for message attributes"; empty without
// attributes.
func attributesMD5(attrs map[string]attribute) string {
	if len(attrs) == 0 {
		return ""
	}
	var buf []byte
	add := func(s string) {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(s)))
		buf = append(buf, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := attrs[name]
		add(name)
		add(a.DataType)
		if strings.HasPrefix(a.DataType, "Binary") {
			buf = append(buf, 2)
			add(string(a.BinaryValue))
		} else {
			buf = append(buf, 1)
			add(deref(a.StringValue))
		}
	}
	sum := md5.Sum(buf)
	return hex.EncodeToString(sum[:])
}
