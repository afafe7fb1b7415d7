package audit

// Encode is what the digest of a block is made of.
func Encode(records []Record) (b []byte) {
	for _, r := range records {
		b = r.appendTo(b)
	}
	return b
}

// Kinds are those that can be searched for.
var Kinds = kinds
