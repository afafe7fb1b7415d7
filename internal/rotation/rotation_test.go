package rotation_test

import (
	"testing"
	"time"

	"github.com/doorward/doorward/internal/rotation"
)

// TestDecide is the table of the refresh rule, row by row.
func TestDecide(t *testing.T) {
	t.Parallel()
	const window, budget = 10 * time.Second, 3
	made := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	inside, outside := made.Add(window-time.Millisecond), made.Add(window)
	tests := []struct {
		name      string
		state     rotation.State
		presented uint32
		now       time.Time
		want      rotation.State
		outcome   rotation.Outcome
	}{
		{
			"the token made by login rotates at once",
			rotation.State{},
			0, made,
			rotation.State{Generation: 1, HeldSince: made},
			rotation.Rotate,
		},
		{
			"current and held: nothing changes",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 1},
			4, inside,
			rotation.State{Generation: 4, HeldSince: made, LateRun: 1},
			rotation.Again,
		},
		{
			"current, clean generation: the run is forgiven",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 2, Quiet: 3},
			4, outside,
			rotation.State{Generation: 5, HeldSince: outside},
			rotation.Rotate,
		},
		{
			"current, generation was late: the run is kept",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 2, Late: true, Quiet: 3},
			4, outside,
			rotation.State{Generation: 5, HeldSince: outside, LateRun: 2},
			rotation.Rotate,
		},
		{
			"current, generation was mixed: the run is kept, the quiet ones counted",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 2, Mixed: true, Quiet: 3},
			4, outside,
			rotation.State{Generation: 5, HeldSince: outside, LateRun: 2, Quiet: 4},
			rotation.Rotate,
		},
		{
			"current, the sixteenth mixed generation in a row takes one off the run",
			rotation.State{Generation: 40, HeldSince: made, LateRun: 2, Mixed: true, Quiet: 15},
			40, outside,
			rotation.State{Generation: 41, HeldSince: outside, LateRun: 1},
			rotation.Rotate,
		},
		{
			"the run does not go below zero",
			rotation.State{Generation: 40, HeldSince: made, Mixed: true, Quiet: 15},
			40, outside,
			rotation.State{Generation: 41, HeldSince: outside},
			rotation.Rotate,
		},
		{
			"predecessor inside the window: two tabs",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 1},
			3, inside,
			rotation.State{Generation: 4, HeldSince: made, LateRun: 1, Mixed: true},
			rotation.Again,
		},
		{
			"predecessor outside the window: counted and forgiven",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 1, Quiet: 7},
			3, outside,
			rotation.State{Generation: 4, HeldSince: outside, LateRun: 2, Late: true},
			rotation.Again,
		},
		{
			"predecessor again: one generation counts once",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 2, Late: true},
			3, outside,
			rotation.State{Generation: 4, HeldSince: made, LateRun: 2, Late: true},
			rotation.Again,
		},
		{
			"the third late generation ends the session",
			rotation.State{Generation: 4, HeldSince: made, LateRun: 2},
			3, outside,
			rotation.State{Generation: 4, HeldSince: made, LateRun: 3},
			rotation.Reuse,
		},
		{
			"older than the predecessor: reuse, also inside the window",
			rotation.State{Generation: 4, HeldSince: made},
			2, inside,
			rotation.State{Generation: 4, HeldSince: made},
			rotation.Reuse,
		},
		{
			"newer than the store knows: the store lost history",
			rotation.State{Generation: 4, HeldSince: made},
			5, inside,
			rotation.State{Generation: 4, HeldSince: made},
			rotation.Rollback,
		},
		{
			"newer than the first generation",
			rotation.State{},
			1, inside,
			rotation.State{},
			rotation.Rollback,
		},
		{
			"a clock that went back counts as not held",
			rotation.State{Generation: 4, HeldSince: made},
			4, made.Add(-time.Second),
			rotation.State{Generation: 5, HeldSince: made.Add(-time.Second)},
			rotation.Rotate,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, outcome := rotation.Decide(test.state, test.presented, test.now, rotation.Rule{Window: window, Budget: budget})
			if outcome != test.outcome {
				t.Errorf("outcome = %v, want %v", outcome, test.outcome)
			}
			if outcome != rotation.Reuse && got != test.want {
				t.Errorf("state = %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestDecideStrict shows RFC 9700 §4.14.2 to the letter: no window, no budget.
func TestDecideStrict(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s, outcome := rotation.Decide(rotation.State{}, 0, now, rotation.Rule{Window: 0, Budget: 1})
	if outcome != rotation.Rotate {
		t.Fatalf("first use: outcome = %v, want rotate", outcome)
	}
	if _, outcome = rotation.Decide(s, 0, now, rotation.Rule{Window: 0, Budget: 1}); outcome != rotation.Reuse {
		t.Errorf("second use of one token: outcome = %v, want reuse", outcome)
	}
	if _, outcome = rotation.Decide(s, 1, now, rotation.Rule{Window: 0, Budget: 1}); outcome != rotation.Rotate {
		t.Errorf("use of the successor: outcome = %v, want rotate", outcome)
	}
}
