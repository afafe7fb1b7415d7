package password

import "time"

// Roundtrip reads a PHC string and writes it again, for the fuzz test.
func Roundtrip(s string) (string, error) {
	p, err := parsePHC(s)
	if err != nil {
		return "", err
	}
	return p.String(), nil
}

// Caps are the greatest costs that a stored hash may ask for.
const (
	CapMemory  = maxMemory
	CapTime    = maxTime
	CapThreads = maxThreads
)

// Costs returns what a PHC string asks for.
func Costs(s string) (memory, time uint32, threads uint8, err error) {
	p, err := parsePHC(s)
	return p.memory, p.time, p.threads, err
}

// Hold takes every slot, so that callers wait; the returned function gives them back.
func Hold(h *Hasher) (release func()) {
	n := cap(h.slots.free)
	for range n {
		h.slots.free <- struct{}{}
	}
	return func() {
		for range n {
			<-h.slots.free
		}
	}
}

// HoldLine takes as many slots as the callers of h may have together.
func HoldLine(h *Hasher) (release func()) {
	n := cap(h.line.open)
	for range n {
		h.line.open <- struct{}{}
		h.slots.free <- struct{}{}
	}
	return func() {
		for range n {
			<-h.slots.free
			<-h.line.open
		}
	}
}

// CapWork is the greatest time that a stored hash may ask for.
const CapWork = maxWork

// CostOf returns what a hash of any scheme asks for.
func CostOf(hash string) (scheme string, memory uint64, work time.Duration, err error) {
	st, err := read(hash)
	return st.scheme, st.memory, st.work, err
}

// FoldCommon is the form in which common.bin has passwords.
func FoldCommon(text string) string { return foldCommon(text) }

// CommonDigest is the length of a digest in common.bin.
const CommonDigest = commonDigest
