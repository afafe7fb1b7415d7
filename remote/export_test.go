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
