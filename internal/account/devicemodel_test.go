package account_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
)

// Strangers and known devices have tries of their own, whatever happens in which order at which node: nobody can use
// up those of somebody else, and nobody has more than ten.
func TestDeviceBudgets_Attack_E06_E07(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := worldIn(t, t.TempDir(), plain{})
		nodes := []*account.People{w.people, w.another().people}
		cases := 0
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			cases++
			rt.Repeat(rapid.StateMachineActions(newDeviceModel(w, nodes, cases, time.Sleep)))
		})
	})
}

// deviceModel is what each one who tries to log in as Ada has left.
type deviceModel struct {
	w     *world
	pass  func(time.Duration) // in the bubble
	nodes []*account.People
	ada   account.User
	froms map[string]account.Device
	spent map[string]*spending
}

type spending struct {
	tries int
	ends  time.Time
}

// tellers are those who try. Those who are strangers to Ada share one budget.
var tellers = rapid.SampledFrom([]string{"stranger", "phone", "laptop", "bob's phone"})

func budgetOf(teller string) string {
	if teller == "bob's phone" {
		return "stranger"
	}
	return teller
}

func newDeviceModel(w *world, nodes []*account.People, n int, pass func(time.Duration)) *deviceModel {
	ada, bob := w.add(fmt.Sprint("ada ", n)), w.add(fmt.Sprint("bob ", n))
	m := &deviceModel{w: w, pass: pass, nodes: nodes, ada: ada, froms: map[string]account.Device{"stranger": {}}, spent: map[string]*spending{}}
	for teller, owner := range map[string]string{"phone": ada.ID, "laptop": ada.ID, "bob's phone": bob.ID} {
		secret, err := w.people.Remember(w.Context(), owner, event)
		if err != nil {
			w.Fatal(err)
		}
		from, err := w.people.Recognize(w.Context(), ada.Name, secret)
		if err != nil || from.Known() != (owner == ada.ID) {
			w.Fatalf("%s is known: %v, %v", teller, from.Known(), err)
		}
		m.froms[teller] = from
	}
	return m
}

// Fail tries wrong passwords, some more than there may be.
func (m *deviceModel) Fail(t *rapid.T) {
	teller := tellers.Draw(t, "teller")
	for range rapid.SampledFrom([]int{1, 3, account.TryLimit - 1, account.TryLimit + 1}).Draw(t, "tries") {
		m.try(t, teller, wrong)
	}
}

// Enter tries the right one.
func (m *deviceModel) Enter(t *rapid.T) { m.try(t, tellers.Draw(t, "teller"), right) }

// Pass lets time go by. Of cases rapid looks at as many as fit into a day of it.
func (m *deviceModel) Pass(t *rapid.T) {
	m.pass(time.Duration(rapid.SampledFrom([]int{1, 5, 9, 10, 120}).Draw(t, "minutes")) * time.Minute)
}

// Unlock is what an operator does for somebody who is locked out: strangers begin anew, devices go on.
func (m *deviceModel) Unlock(t *rapid.T) {
	if _, err := m.w.people.SetPassword(m.w.Context(), m.ada.ID, right, false, event); err != nil {
		t.Fatal(err)
	}
	delete(m.spent, "stranger")
}

// Check holds of nothing beyond what each step has checked.
func (m *deviceModel) Check(*rapid.T) {}

func (m *deviceModel) try(t *rapid.T, teller, text string) {
	people := m.nodes[rapid.IntRange(0, 1).Draw(t, "node")]
	_, _, err := people.Authenticate(m.w.Context(), m.w.issuer, m.ada.Name, text, m.froms[teller], issuer.Event{})
	budget, now := budgetOf(teller), time.Now()
	s := m.spent[budget]
	if s == nil || !now.Before(s.ends) {
		s = &spending{ends: now.Add(account.TryWindow)}
		m.spent[budget] = s
	}
	if s.tries == account.TryLimit {
		throttled, ok := errors.AsType[*account.ThrottledError](err)
		if !ok || throttled.RetryAfter != s.ends.Sub(now).Truncate(time.Millisecond) {
			t.Fatalf("%s after %d tries: %v, want to wait %v", teller, s.tries, err, s.ends.Sub(now))
		}
		return
	}
	s.tries++
	if text == right {
		delete(m.spent, budget)
	}
	if (text == right) != (err == nil) || err != nil && !errors.Is(err, account.ErrCredentials) {
		t.Fatalf("%s, try %d, right %v: %v", teller, s.tries, text == right, err)
	}
}

// bubble is a test whose clock is not the real one, so that it has no deadline to ask for.
type bubble struct{ rapid.TB }
