package issuer_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/postgrestest"
	"github.com/doorward/doorward/internal/sqlstore/accounts"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/postgres"
)

// soak asks for the long variants.
var soak = os.Getenv("DOORWARD_SOAK") != ""

// op is one call of a history.
type op struct {
	kind       string // refresh, logout, revoke, password
	session    int    // of refresh and logout
	generation uint32 // of the token presented
	old, new   int    // of password: which one is replaced by which
}

// result is what the caller saw: a generation, or why there is none.
type result struct {
	generation uint32
	refused    string
}

const (
	linearWindow = time.Millisecond // now in and now out of it
	linearBudget = 3
	linearMany   = 2 // sessions of one subject
)

// subjectState is what the sequential model knows of one subject. Whether a generation is
// held depends on the clock, which the model does not have: both are tried.
type subjectState struct {
	sessions [linearMany]struct {
		state issuer.State
		over  string
	}
	password int
}

// sequential is what a history must look like when its calls are put one after the other.
var sequential = porcupine.NondeterministicModel{
	Init: func() []any { return []any{subjectState{}} },
	Step: func(state, input, output any) []any {
		var next []any
		for _, s := range state.(subjectState).after(input.(op), output.(result)) {
			next = append(next, s)
		}
		return next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// after returns every state in which the call can have left the subject, given what it answered.
func (s subjectState) after(o op, got result) []subjectState {
	switch o.kind {
	case "refresh":
		return s.afterRefresh(o, got)
	case "logout":
		if one := &s.sessions[o.session]; one.over == "" {
			one.over = issuer.ReasonLogout
		}
		return []subjectState{s}
	case "revoke":
		return []subjectState{s.endAll(issuer.ReasonAdmin)}
	}
	switch { // a change of password is a compare-and-swap
	case (s.password == o.old) != (got.refused == ""):
		return nil
	case got.refused != "":
		return []subjectState{s}
	}
	s.password = o.new
	return []subjectState{s.endAll(issuer.ReasonPassword)}
}

func (s subjectState) afterRefresh(o op, got result) []subjectState {
	one := s.sessions[o.session]
	if one.over != "" {
		if got.refused == one.over {
			return []subjectState{s}
		}
		return nil
	}
	var next []subjectState
	held := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, age := range []time.Duration{0, linearWindow} {
		now := one.state
		now.HeldSince = held
		state, outcome := issuer.Decide(now, o.generation, held.Add(age), linearWindow, linearBudget)
		state.HeldSince = time.Time{}
		after := s
		after.sessions[o.session].state = state
		want := result{generation: state.Generation}
		if outcome == issuer.OutcomeReuse || outcome == issuer.OutcomeRollback {
			want = result{refused: issuer.ReasonReuse}
			if outcome == issuer.OutcomeRollback {
				want.refused = issuer.ReasonRollback
			}
			after.sessions[o.session].state, after.sessions[o.session].over = one.state, want.refused
		}
		if got == want && !slices.Contains(next, after) {
			next = append(next, after)
		}
	}
	return next
}

func (s subjectState) endAll(reason string) subjectState {
	for n := range s.sessions {
		if s.sessions[n].over == "" {
			s.sessions[n].over = reason
		}
	}
	return s
}

// recordedWorld is a world whose users are in a database: their passwords change there.
type recordedWorld struct {
	*world
	users account.Store
}

// recorder makes a history: its callers work on the sessions of one subject at once.
type recorder struct {
	w     *recordedWorld
	start time.Time

	mu      sync.Mutex // guards what follows
	tokens  [linearMany][]string
	history []porcupine.Operation
}

// record lets callers make some calls each and returns what they saw.
func (w *recordedWorld) record(callers, calls int) []porcupine.Operation {
	w.t.Helper()
	id := fmt.Sprintf("u_%d", rand.Uint64())
	w.people.set(id, issuer.Subject{Active: true})
	if _, err := w.users.CreateUser(w.t.Context(), account.UserRow{ID: id, Name: id, Canonical: id, Hash: "0"}, issuer.Event{}); err != nil {
		w.t.Fatal(err)
	}
	r := &recorder{w: w, start: time.Now()}
	for n := range r.tokens {
		r.tokens[n] = []string{w.login(id).RefreshToken}
	}
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for range calls {
				r.call(caller, id)
			}
		})
	}
	all.Wait()
	return r.history
}

// call makes one call at random and writes it down.
func (r *recorder) call(caller int, id string) {
	o := op{kind: "refresh", session: rand.IntN(linearMany)}
	switch rand.IntN(80) {
	case 0:
		o.kind = "logout"
	case 1:
		o = op{kind: "revoke"}
	case 2:
		o = op{kind: "password", old: rand.IntN(2), new: rand.IntN(2)}
	}
	token := r.pick(o.session)
	if o.kind == "refresh" {
		o.generation = generationOf(token)
	}
	called := time.Since(r.start)
	set, err := r.run(o, id, token)
	returned := time.Since(r.start)
	got := result{refused: issuer.RefreshReason(err)}
	switch {
	case err == nil && o.kind == "refresh":
		got.generation = generationOf(set.RefreshToken)
	case errors.Is(err, account.ErrConflict):
		got.refused = "another password"
	case err != nil && got.refused == "":
		r.w.t.Errorf("%+v: %v", o, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if list := r.tokens[o.session]; set.RefreshToken != "" && !slices.Contains(list, set.RefreshToken) {
		r.tokens[o.session] = append(list, set.RefreshToken)
	}
	r.history = append(r.history, porcupine.Operation{
		ClientId: caller, Input: o, Output: got, Call: called.Nanoseconds(), Return: returned.Nanoseconds(),
	})
}

// pick returns a token of the session: mostly the newest that anybody has, at times an older one.
func (r *recorder) pick(session int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.tokens[session]
	at := len(list) - 1
	if n := rand.IntN(60); n < 15 {
		at -= 1 + n/14 // the predecessor, seldom the one before
	}
	return list[max(at, 0)]
}

func (r *recorder) run(o op, id, token string) (issuer.TokenSet, error) {
	ctx := context.WithoutCancel(r.w.t.Context())
	switch o.kind {
	case "logout":
		return issuer.TokenSet{}, r.w.Logout(ctx, token, issuer.Event{})
	case "revoke":
		return issuer.TokenSet{}, r.w.RevokeSubject(ctx, id, issuer.Event{})
	case "password":
		_, err := r.w.users.SetPassword(ctx, id, account.NewPassword{Old: fmt.Sprint(o.old), Hash: fmt.Sprint(o.new)},
			issuer.Event{Kind: account.EventPasswordChange})
		return issuer.TokenSet{}, err
	}
	return r.w.Refresh(ctx, token, issuer.RefreshRequest{})
}

// generationOf reads the generation that a refresh token carries in the open.
func generationOf(token string) uint32 {
	raw, err := base64.RawURLEncoding.DecodeString(token[len(issuer.RefreshTokenPrefix):])
	if err != nil {
		panic(err)
	}
	return binary.BigEndian.Uint32(raw[4:])
}

func (w *world) checkHistory(history []porcupine.Operation) porcupine.CheckResult {
	w.t.Helper()
	got, _ := porcupine.CheckOperationsVerbose(sequential.ToModel(), history, time.Minute)
	return got
}

// linearWorld is a world on a store that may be a faulty form of the one with the users.
func linearWorld(t *testing.T, store issuer.Store, users account.Store) *recordedWorld {
	t.Helper()
	return &recordedWorld{users: users, world: newWorldWith(t, store, func(c *issuer.Config) {
		c.Window, c.Budget, c.RefreshLimit = linearWindow, linearBudget, 1_000_000
	})}
}

// Attack_F02, Standard_S03, Standard_S07: what concurrent callers see of refresh, logout, the
// end of everything and the change of password is what they could have seen one after the other.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		store := openSQLite(t, filepath.Join(t.TempDir(), "doorward.db"))
		checkHistories(t, linearWorld(t, store, accounts.In(store.Store)), rounds(25, 2000))
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		store, err := postgres.Open(t.Context(), postgres.Config{URL: postgrestest.URL(t), Connections: 8})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		checkHistories(t, linearWorld(t, store, accounts.In(store.Store)), rounds(25, 1000))
	})
}

// checkHistories checks as many histories as it is told, and more while there is an outcome that none of them has.
func checkHistories(t *testing.T, w *recordedWorld, histories int) {
	t.Helper()
	seen := map[string]int{}
	missing := func() bool {
		return slices.ContainsFunc([]string{"refresh ", "refresh logout", "refresh admin", "logout ", "revoke ", "password "},
			func(want string) bool { return seen[want] == 0 })
	}
	for n := 0; n < histories || missing(); n++ {
		if n == 20*histories {
			t.Fatalf("no history has some of the outcomes: %v", seen)
		}
		history := w.record(5, 12)
		if got := w.checkHistory(history); got != porcupine.Ok {
			t.Fatalf("%s:\n%s", got, described(history))
		}
		for _, o := range history {
			seen[o.Input.(op).kind+" "+o.Output.(result).refused]++
		}
	}
	t.Logf("calls by outcome: %v", seen)
}

func described(history []porcupine.Operation) (text string) {
	for _, o := range history {
		text += fmt.Sprintf("%d [%d, %d] %s\n", o.ClientId, o.Call, o.Return, sequential.DescribeOperation(o.Input, o.Output))
	}
	return text
}

// forgetful is a store that acknowledges some of its changes and does not make them.
type forgetful struct {
	issuer.Store
	swaps, ends bool
}

func (s forgetful) SwapSession(ctx context.Context, id string, rev int64, ch issuer.Change, ev issuer.Event) (issuer.Session, time.Time, error) {
	if !s.swaps || ch.End != "" || rand.IntN(4) > 0 {
		return s.Store.SwapSession(ctx, id, rev, ch, ev)
	}
	list, err := s.Sessions(ctx, issuer.SessionQuery{ID: id})
	if err != nil {
		return issuer.Session{}, time.Time{}, err
	}
	list[0].State = ch.State
	return list[0], time.Now(), nil
}

func (s forgetful) EndSubject(ctx context.Context, subject, reason string, ev issuer.Event) (doorward.Revocation, error) {
	if s.ends {
		return doorward.Revocation{Kind: doorward.KindSubject, ID: subject}, nil
	}
	return s.Store.EndSubject(ctx, subject, reason, ev)
}

// The test above finds a store that loses what it has acknowledged.
func TestLinearizableFindsFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]forgetful{"lost swaps": {swaps: true}, "lost ends": {ends: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := openSQLite(t, filepath.Join(t.TempDir(), "doorward.db"))
			fault.Store = store
			w := linearWorld(t, fault, accounts.In(store.Store))
			for range 200 {
				if w.checkHistory(w.record(5, 12)) == porcupine.Illegal {
					return
				}
			}
			t.Error("not found in 200 histories")
		})
	}
}
