package strict

import "math"

// indexed is how many members an [Index] has room for: those of a usual token.
const indexed = 24

// Index is where the members of an object lie in its text, so that what was checked once can be read without a second
// scan. Its zero value is an index of nothing: [Index.Each] then scans.
type Index struct {
	complete bool
	length   int // of the text
	count    int
	at       [indexed]span
}

// span is where a member's name and value lie.
type span struct{ name, nameEnd, value, valueEnd uint16 }

// Object checks data as [Object] does with a nil member, and fills the index.
func (x *Index) Object(data []byte, maxDepth int) error {
	x.complete, x.length, x.count = len(data) <= math.MaxUint16, len(data), 0
	s := scanners.Get().(*scanner)
	defer s.release()
	s.index = x
	if err := s.run(data, maxDepth, nil); err != nil {
		x.complete = false
		return err
	}
	return nil
}

// Each calls member for each member of the object in order, as [Object] does. data is the text of which this is the
// index, or a copy. It scans again if there was no room in the index or a name holds escapes.
func (x *Index) Each(data []byte, maxDepth int, member func(name, value []byte) error) error {
	if !x.complete || len(data) != x.length {
		return Object(data, maxDepth, member)
	}
	for _, at := range x.at[:x.count] {
		if err := member(data[at.name:at.nameEnd:at.nameEnd], data[at.value:at.valueEnd:at.valueEnd]); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) add(n name, value, end int) {
	if n.escaped || x.count == indexed {
		x.complete = false
	}
	if x.complete {
		x.at[x.count] = span{uint16(n.start), uint16(n.end), uint16(value), uint16(end)}
		x.count++
	}
}
