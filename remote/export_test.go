package remote

import "time"

// Backdate changes when the last fetch began, so that a test outside of a bubble has both clocks in its hand.
func (s *KeySet) Backdate(change func(time.Time) time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = change(s.begun)
	a := *s.current.Load()
	a.asked = change(a.asked)
	s.current.Store(&a)
}

// Wait returns when the fetch under way, if any, is over.
func (s *KeySet) Wait() { s.wait() }

// ParsePage and ParseEvent read what an issuer sends, and return what they understood and how many entries there are.
func ParsePage(body []byte) (nonce, lineage, next string, entries int, err error) {
	p, err := parsePage(body)
	return p.nonce, p.lineage, p.next, len(p.entries), err
}

func ParseEvent(data []byte) (lineage, after, next string, entries int, err error) {
	e, err := parseEvent(data)
	return e.lineage, e.after, e.next, len(e.entries), err
}
