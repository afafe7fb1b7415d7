package account_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.add("Ada", "editor")
	set := w.mustLogin("ada", right)
	if set.Subject != ada.ID || set.AccessToken == "" {
		t.Errorf("logged in as %s, want %s", set.Subject, ada.ID)
	}
	got, err := w.enter("ADA", right)
	if err != nil || got.ID != ada.ID {
		t.Errorf("Authenticate = %v, %v", got, err)
	}
}

// ASVS_6.3.8, ASVS_16.3.1: Every way not to get in gives one answer, computes one hash, and asks the
// store the same.
func TestRefusals_Attack_E01_Standard_W04_Behaviour_B56(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("ada")
	disabled, hostile := w.add("disabled"), w.add("hostile")
	w.expired("expired")
	if _, err := w.people.Disable(t.Context(), disabled.ID, event); err != nil {
		t.Fatal(err)
	}
	w.setHash(hostile, "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	w.without("none")
	// Hashes of other programs: package password adds the time of ours to those that are much cheaper.
	w.setHash(w.add("bcrypt"), "$2b$04$0aRSXLFX8k6pTCLP5yszDu8hnvk4fOtBmDNSAcvkdAYbBwYn7M6W6")
	w.setHash(w.add("digest"), "sha256$salt$"+strings.Repeat("ab", 32))
	long := strings.Repeat("a", password.MaxBytes+1)
	tests := []struct {
		name, user, text, reason string
		wantErr                  error // inside ErrCredentials, for operators
	}{
		{"wrong password", "ada", wrong, "wrong_password", password.ErrMismatch},
		{"empty password", "ada", "", "wrong_password", password.ErrMismatch},
		{"unknown user", "bob", right, "unknown_user", account.ErrNotFound},
		{"no name", "", right, "unknown_user", account.ErrNotFound},
		{"no possible name", "ada\x00", right, "unknown_user", account.ErrNotFound},
		{"name of a megabyte", strings.Repeat("a", 1<<20), right, "unknown_user", account.ErrNotFound},
		{"Standard_W04 disabled, right password", "disabled", right, "disabled", account.ErrDisabled},
		{"disabled, wrong password", "disabled", wrong, "wrong_password", password.ErrMismatch},
		{"Attack_E10 initial password expired", "expired", right, "password_expired", account.ErrExpired},
		{"Attack_E02 too long", "ada", long, "password_too_long", password.ErrTooLong},
		{"unknown user, too long", "bob", long, "unknown_user", account.ErrNotFound},
		{"disabled, too long", "disabled", long, "password_too_long", password.ErrTooLong},
		{"not UTF-8", "ada", "caf\xe9 au lait et lait", "password_not_text", password.ErrText},
		{"Attack_E04 hostile hash in the store", "hostile", right, "unreadable_hash", password.ErrHash},
		{"imported bcrypt", "bcrypt", wrong, "wrong_password", password.ErrMismatch},
		{"imported digest", "digest", right, "wrong_password", password.ErrMismatch},
		{"no password", "none", "", "wrong_password", password.ErrMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.store.take()
			before := w.hasher.n.Load()
			u, err := w.enter(tt.user, tt.text)
			if !errors.Is(err, account.ErrCredentials) || !errors.Is(err, tt.wantErr) || u.ID != "" {
				t.Errorf("Authenticate = %+v, %v, want ErrCredentials of %v", u, err, tt.wantErr)
			}
			if n := w.hasher.n.Load() - before; n != 1 {
				t.Errorf("%d hashes computed, want 1", n)
			}
			events, asked := w.store.take()
			if len(asked) > 0 && asked[0] == "name" { // a text that is no name is not asked for
				asked = asked[1:]
			}
			if !slices.Equal(asked, []string{"epoch", "hash"}) {
				t.Errorf("the store was asked for %v", asked)
			}
			if len(events) != 1 || events[0].Kind != account.EventLoginFailed || events[0].Reason != tt.reason {
				t.Errorf("recorded %+v, want one login_failed for %s", events, tt.reason)
			}
			if known := tt.reason != "unknown_user"; len(events) == 1 && known != (events[0].Subject != "") {
				t.Errorf("recorded the subject %q", events[0].Subject)
			}
		})
	}
}

// expired adds a user whose initial password has expired.
func (w *world) expired(name string) {
	w.Helper()
	n := account.NewUser{Name: name, Password: right, MustChange: true, Lifetime: time.Nanosecond}
	u, err := w.people.Add(w.Context(), n, event)
	if err != nil {
		w.Fatal(err)
	}
	for time.Now().Before(u.PasswordExpiresAt) { // a millisecond
		runtime.Gosched()
	}
}

// without adds a user who has no password.
func (w *world) without(name string) {
	w.Helper()
	if _, err := w.store.CreateUser(w.Context(), account.UserRow{ID: "u_" + name, Name: name, Canonical: name}, event); err != nil {
		w.Fatal(err)
	}
}

// setHash puts a hash into the store, as somebody could who can write there.
func (w *world) setHash(u account.User, hash string) {
	w.Helper()
	c, err := w.store.Credential(w.Context(), u.ID)
	if err != nil {
		w.Fatal(err)
	}
	if err := w.store.ReplaceHash(w.Context(), u.ID, c.Hash, hash, event); err != nil {
		w.Fatal(err)
	}
}

// ASVS_6.3.1, ASVS_6.1.1, Standard_Z02.
func TestThrottle_Attack_E06_E08_Standard_W03_Behaviour_B57(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		spellings []string
	}{
		{"known user", []string{"ada"}},
		{"Attack_E08 known user in many spellings", []string{"ada", "ADA", "aDa", "\uff41\uff44\uff41"}},
		{"Attack_E01 unknown user", []string{"bob", "BOB"}},
		{"Attack_E01 no possible name", []string{"ada\x00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("ada")
			for i := range 10 {
				_, err := w.enter(tt.spellings[i%len(tt.spellings)], wrong)
				w.wantError(err, account.ErrCredentials)
			}
			before := w.hasher.n.Load()
			for _, text := range []string{wrong, right} {
				u, err := w.enter(tt.spellings[0], text)
				throttled, ok := errors.AsType[*account.ThrottledError](err)
				if !ok || !errors.Is(err, account.ErrThrottled) || u.ID != "" {
					t.Fatalf("the eleventh try: %v, want ErrThrottled", err)
				}
				if throttled.RetryAfter <= 9*time.Minute || throttled.RetryAfter > 10*time.Minute {
					t.Errorf("again in %v, want about 10m", throttled.RetryAfter)
				}
			}
			if n := w.hasher.n.Load() - before; n != 0 {
				t.Errorf("%d hashes computed for a throttled login, want 0", n)
			}
		})
	}
}

func TestThrottleEnds_Standard_W03(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := worldIn(t, t.TempDir(), plain{})
		w.add("ada")
		for range 11 {
			_, _ = w.enter("ada", wrong)
		}
		time.Sleep(account.TryWindow - time.Second)
		_, err := w.enter("ada", right)
		w.wantError(err, account.ErrThrottled)
		time.Sleep(2 * time.Second)
		_, err = w.enter("ada", right)
		w.wantError(err, nil)
	})
}

func TestSuccessForgetsTries_Standard_U15(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	w.add("ada")
	for range 3 {
		for range 9 {
			_, err := w.enter("ada", wrong)
			w.wantError(err, account.ErrCredentials)
		}
		_, err := w.enter("ada", right)
		w.wantError(err, nil)
	}
}

// ASVS_15.4.1: Of tries that come at once, through two processes, no more are looked at than the limit.
func TestThrottleTogether_Attack_E06(t *testing.T) {
	t.Parallel()
	first := worldIn(t, t.TempDir(), plain{})
	first.add("ada")
	second := first.another()
	before := first.hasher.n.Load()
	var wg sync.WaitGroup
	var throttled atomic.Int64
	for i := range 100 {
		wg.Go(func() {
			w := [2]*world{first, second}[i%2]
			_, err := w.enter("ada", wrong)
			if errors.Is(err, account.ErrThrottled) {
				throttled.Add(1)
			} else {
				w.wantError(err, account.ErrCredentials)
			}
		})
	}
	wg.Wait()
	hashed := first.hasher.n.Load() - before + second.hasher.n.Load()
	if hashed != 10 || throttled.Load() != 90 {
		t.Errorf("%d hashed and %d throttled of 100, want 10 and 90", hashed, throttled.Load())
	}
}

// Right passwords that come at once do not use up the limit of each other.
func TestRightPasswordsTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hasher := &stuck{Hasher: plain{}, end: make(chan struct{})}
		w := worldIn(t, t.TempDir(), hasher)
		w.add("ada")
		w.store.take()
		hasher.on.Store(true)
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() {
				_, err := w.enter("ada", right)
				w.wantError(err, nil)
			})
		}
		synctest.Wait()
		close(hasher.end)
		wg.Wait()
		if events, _ := w.store.take(); len(events) != 0 {
			t.Errorf("recorded %+v of right passwords", events)
		}
	})
}

// Of one name, two tries are under way and 256 wait, for 2 s; who goes away while waiting is let go at once. Another name does not wait.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hasher := &stuck{Hasher: plain{}, end: make(chan struct{})}
		w := worldIn(t, t.TempDir(), hasher)
		w.add("ada")
		w.add("bob")
		hasher.on.Store(true)
		results := make(chan error, 300)
		enter := func(ctx context.Context) {
			go func() {
				_, _, err := w.people.Authenticate(ctx, w.issuer, "ada", right, account.Device{}, event)
				results <- err
			}()
			synctest.Wait()
		}
		gone, leave := context.WithCancel(t.Context())
		for range 2 + 255 {
			enter(t.Context())
		}
		if n := hasher.waiting.Load(); n != 2 || len(results) != 0 {
			t.Fatalf("%d under way and %d answered of 257, want 2 and none", n, len(results))
		}
		enter(gone)
		enter(t.Context())
		w.wantError(<-results, password.ErrBusy)
		leave()
		w.wantError(<-results, context.Canceled)
		enter(t.Context())
		if len(results) != 0 {
			t.Fatal("there is no place for another")
		}
		time.Sleep(2 * time.Second)
		for range 256 {
			w.wantError(<-results, password.ErrBusy)
		}
		hasher.on.Store(false)
		_, err := w.enter("bob", right)
		w.wantError(err, nil)
		enter(t.Context())
		if len(results) != 0 {
			t.Fatal("a third try does not wait")
		}
		close(hasher.end)
		for range 3 {
			w.wantError(<-results, nil)
		}
		if names, waiting := account.Turns(w.people); names != 0 || waiting != 0 {
			t.Errorf("of tries that are over, %d names and %d that wait are kept", names, waiting)
		}
	})
}

// Who is known, by a device or a session, does not wait for the hashes of strangers.
func TestReserved_Attack_E03(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	ada := w.add("ada")
	open, reserved := &counter{Hasher: plain{}}, &counter{Hasher: plain{}}
	people, err := account.New(account.Config{Store: w.store, Devices: w.store, Throttle: w.store, Hasher: open, Reserved: reserved})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := people.Remember(t.Context(), ada.ID, event)
	if err != nil {
		t.Fatal(err)
	}
	login := func(secret string) error {
		from, err := people.Recognize(t.Context(), "ada", secret)
		if err != nil {
			return err
		}
		_, _, err = people.Authenticate(t.Context(), w.issuer, "ada", right, from, event)
		return err
	}
	for _, tt := range []struct {
		name string
		do   func() error
		want [2]int64 // hashes of strangers, and others
	}{
		{"a stranger", func() error { return login("") }, [2]int64{1, 0}},
		{"a device", func() error { return login(secret) }, [2]int64{0, 1}},
		{"a session", func() error {
			_, _, err := people.ChangePassword(t.Context(), w.issuer, ada.ID, right, other, event)
			return err
		}, [2]int64{0, 2}},
	} {
		open.n.Store(0)
		reserved.n.Store(0)
		w.wantError(tt.do(), nil)
		if got := [2]int64{open.n.Load(), reserved.n.Load()}; got != tt.want {
			t.Errorf("%s: hashes %v, want %v", tt.name, got, tt.want)
		}
	}
}

// stuck is a Hasher that, while it is on, does not judge a password before the end.
type stuck struct {
	account.Hasher
	on      atomic.Bool
	waiting atomic.Int64
	end     chan struct{}
}

func (s *stuck) Verify(ctx context.Context, hash, text string) (bool, error) {
	if s.on.Load() {
		s.waiting.Add(1)
		<-s.end
	}
	return s.Hasher.Verify(ctx, hash, text)
}

// refusing is a Hasher that never gets to the password.
type refusing struct {
	account.Hasher
	err atomic.Pointer[error]
}

func (r *refusing) Verify(ctx context.Context, hash, text string) (bool, error) {
	if err := r.err.Load(); err != nil {
		return false, *err
	}
	return r.Hasher.Verify(ctx, hash, text)
}

func (r *refusing) VerifyNothing(ctx context.Context, text string) error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return r.Hasher.VerifyNothing(ctx, text)
}

// A try whose password is not looked at counts for nothing, whoever has no answer: the hasher, or the store to one of its
// questions. It says nothing about the user, either.
func TestUndecidedTriesDoNotCount_Attack_E03(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for _, tt := range []struct {
		name string
		why  error
		down string // the question of the store
	}{
		{"busy", password.ErrBusy, ""},
		{"gone", context.Canceled, ""},
		{"hasher", full, ""},
		{"store of names", full, "name"},
		{"store of epochs", full, "epoch"},
		{"store of hashes", full, "hash"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hasher := &refusing{Hasher: plain{}}
			w := worldIn(t, t.TempDir(), hasher)
			w.add("ada")
			if tt.down == "" {
				hasher.err.Store(&tt.why)
			}
			w.store.down = map[string]error{tt.down: tt.why}
			for i := range 30 {
				_, err := w.enter([]string{"ada", "nobody"}[i%2], right)
				w.wantError(err, tt.why)
				if errors.Is(err, account.ErrCredentials) {
					t.Fatalf("%v says something about the password", err)
				}
			}
			if events, _ := w.store.take(); len(events) != 0 {
				t.Errorf("recorded %+v of tries that were not looked at", events)
			}
			hasher.err.Store(nil)
			w.store.down = nil
			_, err := w.enter("ada", right)
			w.wantError(err, nil)
		})
	}
}

// A caller who goes away while waiting for the hash gets the try back.
func TestGoneCallerGetsTheTryBack(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), leaving{})
	w.add("ada")
	for range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := w.people.Authenticate(context.WithValue(ctx, leaveKey{}, cancel), w.issuer, "ada", right, account.Device{}, event)
		w.wantError(err, context.Canceled)
		cancel()
	}
	_, err := w.enter("ada", right)
	w.wantError(err, nil)
}

// A caller who goes away once the password was looked at is on record like one who stays.
func TestGoneCallerIsOnRecord(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), leavingLate{})
	w.add("ada")
	w.store.take()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, _, err := w.people.Authenticate(context.WithValue(ctx, leaveKey{}, cancel), w.issuer, "ada", wrong, account.Device{}, event)
	w.wantError(err, account.ErrCredentials)
	if events, _ := w.store.take(); len(events) != 1 || events[0].Kind != account.EventLoginFailed {
		t.Errorf("recorded %+v, want the failed login", events)
	}
	_, err = w.people.Reset(ctx, "x", other, event)
	w.wantError(err, account.ErrReset)
	if events, _ := w.store.take(); len(events) != 1 || events[0].Kind != account.EventResetFailed {
		t.Errorf("recorded %+v, want the failed reset", events)
	}
}

// A wrong password that cannot be put on record is not answered as one: nobody guesses unseen.
func TestUnrecordedFailure(t *testing.T) {
	t.Parallel()
	w := worldIn(t, t.TempDir(), plain{})
	w.add("ada")
	full := errors.New("disk full")
	w.store.down = map[string]error{"record": full}
	_, err := w.enter("ada", wrong)
	w.wantError(err, full)
	_, reset := w.people.Reset(t.Context(), "dwp_", other, event)
	w.wantError(reset, full)
	if errors.Is(err, account.ErrCredentials) || errors.Is(reset, account.ErrReset) {
		t.Errorf("login: %v; reset: %v", err, reset)
	}
}

// leavingLate is a Hasher whose caller goes away after the hash, if the context says so.
type leavingLate struct{ plain }

func (l leavingLate) Verify(ctx context.Context, hash, text string) (bool, error) {
	rehash, err := l.plain.Verify(ctx, hash, text)
	if cancel, ok := ctx.Value(leaveKey{}).(context.CancelFunc); ok {
		cancel()
	}
	return rehash, err
}

type leaveKey struct{}

// leaving is a Hasher whose caller goes away if the context says so.
type leaving struct{ plain }

func (l leaving) Verify(ctx context.Context, hash, text string) (bool, error) {
	if cancel, ok := ctx.Value(leaveKey{}).(context.CancelFunc); ok {
		cancel()
		return false, ctx.Err()
	}
	return l.plain.Verify(ctx, hash, text)
}

func TestRehashAtLogin_Behaviour_B59_Standard_U12(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.add("ada")
	// Made by the reference implementation, argon2 20190702, password "password".
	w.setHash(ada, "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	_, err := w.enter("ada", wrong)
	w.wantError(err, account.ErrCredentials)
	set := w.mustLogin("ada", "password")
	c, err := w.store.Credential(t.Context(), ada.ID)
	if err != nil || !strings.HasPrefix(c.Hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("stored %.40q, %v, want a hash of today's cost", c.Hash, err)
	}
	w.mustLogin("ada", "password")
	if _, err := w.issuer.Refresh(t.Context(), set.RefreshToken, issuer.RefreshRequest{Event: event}); err != nil {
		t.Errorf("the session of the login that rehashed: %v", err)
	}
}

// A right password lets in also when its stronger hash cannot be made now, or somebody else has stored one first.
func TestRehashLater_Standard_U12(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, stored string
		busy         error
	}{
		{"busy", "plain:" + right, password.ErrBusy},
		{"another was first", "another's", nil},
	} {
		hasher := &outdated{}
		w := worldIn(t, t.TempDir(), hasher)
		ada := w.add("ada")
		hasher.before = func() error {
			if tt.busy == nil {
				w.setHash(ada, tt.stored)
			}
			return tt.busy
		}
		if set, err := w.login("ada", right); err != nil || set.Subject != ada.ID {
			t.Errorf("%s: %v", tt.name, err)
		}
		if c, err := w.store.Credential(t.Context(), ada.ID); err != nil || c.Hash != tt.stored {
			t.Errorf("%s: stored %q, %v", tt.name, c.Hash, err)
		}
	}
}

// outdated is a Hasher that wants another hash in the place of each.
type outdated struct {
	plain
	before func() error // a hash is made
}

func (o *outdated) Hash(ctx context.Context, text string) (string, error) {
	if o.before != nil {
		if err := o.before(); err != nil {
			return "", err
		}
	}
	return o.plain.Hash(ctx, text)
}

func (o *outdated) Verify(ctx context.Context, hash, text string) (bool, error) {
	_, err := o.plain.Verify(ctx, hash, text)
	return err == nil, err
}

func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	const secret = "canary-7f3a"
	values := []any{
		account.NewUser{Name: "ada", Password: secret},
		&account.NewUser{Name: "ada", Password: secret},
		account.UserRow{ID: "u_1", Hash: secret},
		account.NewPassword{Hash: secret, Old: secret},
		account.Credential{Hash: secret},
		[]account.Credential{{Hash: secret}},
		struct{ C account.Credential }{account.Credential{Hash: secret}},
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) {
				t.Errorf("%s of %T prints the secret: %s", verb, v, text)
			}
		}
	}
}
