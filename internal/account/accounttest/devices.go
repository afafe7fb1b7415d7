package accounttest

import (
	"context"
	"fmt"

	"github.com/doorward/doorward/internal/account"
)

func (f *fixture) addDevice(u account.User, name string, keep int) {
	f.Helper()
	if err := f.store.AddDevice(f.Context(), u.ID, keyOf(name), keep, event); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) wantDevice(canonical, name string, want bool) {
	f.Helper()
	for _, s := range []Store{f.store, f.again()} {
		got, err := s.KnownDevice(f.Context(), canonical, keyOf(name))
		if err != nil || got != want {
			f.Errorf("device %s of %q is known: %v, %v, want %v", name, canonical, got, err, want)
		}
	}
}

func testDevice(f *fixture) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	f.addDevice(ada, "phone", 10)
	f.addDevice(bob, "laptop", 10)
	for _, tt := range []struct {
		canonical, name string
		want            bool
	}{
		{"ada", "phone", true},
		{"bob", "laptop", true},
		{"bob", "phone", false},
		{"ada", "laptop", false},
		{"ada", "no such device", false},
		{"nobody", "phone", false},
		{"", "phone", false},
	} {
		f.wantDevice(tt.canonical, tt.name, tt.want)
	}
	f.wantError(f.store.AddDevice(f.Context(), "u_nobody", keyOf("x"), 10, event), account.ErrNotFound)
	// A new password and a disabled user leave devices as they are: a device opens nothing.
	if _, err := f.store.SetPassword(f.Context(), ada.ID, account.NewPassword{Hash: "$new"}, event); err != nil {
		f.Fatal(err)
	}
	if _, err := f.store.SetDisabled(f.Context(), ada.ID, true, event); err != nil {
		f.Fatal(err)
	}
	f.wantDevice("ada", "phone", true)
	if _, err := f.store.DeleteUser(f.Context(), ada.ID, event); err != nil {
		f.Fatal(err)
	}
	f.create(newRow("Ada"))
	f.wantDevice("ada", "phone", false)
	f.wantDevice("bob", "laptop", true)
}

func testDeviceBound(f *fixture) {
	ada, bob := f.create(newRow("Ada")), f.create(newRow("Bob"))
	f.addDevice(bob, "of bob", 3)
	for _, name := range []string{"phone", "laptop"} {
		f.addDevice(ada, name, 3)
		for range 2 { // A second use on the same day is not noted.
			if err := f.store.UseDevice(f.Context(), keyOf(name)); err != nil {
				f.Fatal(err)
			}
		}
	}
	// A script that keeps no secret is a new device each time. It drops none that came back.
	for i := range 20 {
		f.addDevice(ada, fmt.Sprint("script ", i), 3)
	}
	for name, want := range map[string]bool{"phone": true, "laptop": true, "script 0": false, "script 18": false, "script 19": true} {
		f.wantDevice("ada", name, want)
	}
	f.wantDevice("bob", "of bob", true)
	if err := f.store.UseDevice(f.Context(), keyOf("no such device")); err != nil {
		f.Error(err)
	}
	// More devices that come back drop the ones before, and not the one that is added.
	for i := range 3 {
		name := fmt.Sprint("tablet ", i)
		f.addDevice(ada, name, 3)
		if err := f.store.UseDevice(f.Context(), keyOf(name)); err != nil {
			f.Fatal(err)
		}
	}
	f.wantDevice("ada", "tablet 2", true)
	f.wantDevice("ada", "script 19", false)
}

func testDeviceTogether(f *fixture) {
	ada := f.create(newRow("Ada"))
	next := make(chan string, 40)
	for i := range 40 {
		next <- fmt.Sprint("device ", i)
	}
	f.together(40, func(ctx context.Context, s Store) bool {
		if err := s.AddDevice(ctx, ada.ID, keyOf(<-next), 5, event); err != nil {
			f.Error(err)
		}
		return true
	})
	known := 0
	for i := range 40 {
		if ok, err := f.store.KnownDevice(f.Context(), "ada", keyOf(fmt.Sprint("device ", i))); err != nil {
			f.Fatal(err)
		} else if ok {
			known++
		}
	}
	if known != 5 {
		f.Errorf("%d devices are known, want 5", known)
	}
}
