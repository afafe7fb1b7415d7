package issuer_test

import (
	"testing"
	"time"

	"github.com/doorward/doorward/issuer"
)

// TestDecide is the table of the refresh rule, row by row.
func TestDecide(t *testing.T) {
	t.Parallel()
	const window, budget = 10 * time.Second, 3
	made := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	inside, outside := made.Add(window-time.Millisecond), made.Add(window)
	tests := []struct {
		name      string
		state     issuer.State
		presented uint32
		now       time.Time
		want      issuer.State
		outcome   issuer.Outcome
	}{
		{
			"the token made by login rotates at once",
			issuer.State{},
			0, made,
			issuer.State{Generation: 1, HeldSince: made},
			issuer.OutcomeRotate,
		},
		{
			"current and held: nothing changes",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 1},
			4, inside,
			issuer.State{Generation: 4, HeldSince: made, LateRun: 1},
			issuer.OutcomeAgain,
		},
		{
			"current, clean generation: the run is forgiven",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 2, Quiet: 3},
			4, outside,
			issuer.State{Generation: 5, HeldSince: outside},
			issuer.OutcomeRotate,
		},
		{
			"current, generation was late: the run is kept",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 2, Late: true, Quiet: 3},
			4, outside,
			issuer.State{Generation: 5, HeldSince: outside, LateRun: 2},
			issuer.OutcomeRotate,
		},
		{
			"current, generation was mixed: the run is kept, the quiet ones counted",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 2, Mixed: true, Quiet: 3},
			4, outside,
			issuer.State{Generation: 5, HeldSince: outside, LateRun: 2, Quiet: 4},
			issuer.OutcomeRotate,
		},
		{
			"current, the sixteenth mixed generation in a row takes one off the run",
			issuer.State{Generation: 40, HeldSince: made, LateRun: 2, Mixed: true, Quiet: 15},
			40, outside,
			issuer.State{Generation: 41, HeldSince: outside, LateRun: 1},
			issuer.OutcomeRotate,
		},
		{
			"the run does not go below zero",
			issuer.State{Generation: 40, HeldSince: made, Mixed: true, Quiet: 15},
			40, outside,
			issuer.State{Generation: 41, HeldSince: outside},
			issuer.OutcomeRotate,
		},
		{
			"predecessor inside the window: two tabs",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 1},
			3, inside,
			issuer.State{Generation: 4, HeldSince: made, LateRun: 1, Mixed: true},
			issuer.OutcomeAgain,
		},
		{
			"predecessor outside the window: counted and forgiven",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 1, Quiet: 7},
			3, outside,
			issuer.State{Generation: 4, HeldSince: outside, LateRun: 2, Late: true},
			issuer.OutcomeAgain,
		},
		{
			"predecessor again: one generation counts once",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 2, Late: true},
			3, outside,
			issuer.State{Generation: 4, HeldSince: made, LateRun: 2, Late: true},
			issuer.OutcomeAgain,
		},
		{
			"the third late generation ends the session",
			issuer.State{Generation: 4, HeldSince: made, LateRun: 2},
			3, outside,
			issuer.State{Generation: 4, HeldSince: made, LateRun: 3},
			issuer.OutcomeReuse,
		},
		{
			"older than the predecessor: reuse, also inside the window",
			issuer.State{Generation: 4, HeldSince: made},
			2, inside,
			issuer.State{Generation: 4, HeldSince: made},
			issuer.OutcomeReuse,
		},
		{
			"newer than the store knows: the store lost history",
			issuer.State{Generation: 4, HeldSince: made},
			5, inside,
			issuer.State{Generation: 4, HeldSince: made},
			issuer.OutcomeRollback,
		},
		{
			"newer than the first generation",
			issuer.State{},
			1, inside,
			issuer.State{},
			issuer.OutcomeRollback,
		},
		{
			"a clock that went back counts as not held",
			issuer.State{Generation: 4, HeldSince: made},
			4, made.Add(-time.Second),
			issuer.State{Generation: 5, HeldSince: made.Add(-time.Second)},
			issuer.OutcomeRotate,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, outcome := issuer.Decide(test.state, test.presented, test.now, window, budget)
			if outcome != test.outcome {
				t.Errorf("outcome = %v, want %v", outcome, test.outcome)
			}
			if outcome != issuer.OutcomeReuse && got != test.want {
				t.Errorf("state = %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestDecideStrict shows RFC 9700 §4.14.2 to the letter: no window, no budget.
func TestDecideStrict(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s, outcome := issuer.Decide(issuer.State{}, 0, now, 0, 1)
	if outcome != issuer.OutcomeRotate {
		t.Fatalf("first use: outcome = %v, want rotate", outcome)
	}
	if _, outcome = issuer.Decide(s, 0, now, 0, 1); outcome != issuer.OutcomeReuse {
		t.Errorf("second use of one token: outcome = %v, want reuse", outcome)
	}
	if _, outcome = issuer.Decide(s, 1, now, 0, 1); outcome != issuer.OutcomeRotate {
		t.Errorf("use of the successor: outcome = %v, want rotate", outcome)
	}
}
