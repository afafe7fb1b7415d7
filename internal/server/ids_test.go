package server_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/quota"
	"github.com/doorward/doorward/internal/server"
)

// Attack_F16, Standard_W08, Standard_U17, ASVS_7.2.3: what opens something, and what names somebody, is random: no two are alike,
// neighbours have nothing in common, and the characters carry what they seem to. A log has none of it that opens something,
// which the harness looks for.
func TestAttack_F16_Guessable(t *testing.T) {
	t.Parallel()
	const samples = 200
	w := newWorld(t, func(s *settings) {
		s.direct, s.people = true, cheap{}
		s.server.Registration, s.server.Limits = true, server.Limits{Register: quota.Limits{Each: 1 << 20, All: 1 << 20}}
	})
	made := map[string][]string{}
	for i := range samples {
		name := fmt.Sprintf("person %d", i)
		body := map[string]any{"username": name, "password": bobWord}
		made["sub"] = append(made["sub"], w.do("POST", "/register", body).want(t, 201, "").text("subject"))
		a := w.do("POST", "/login", body).want(t, 200, "")
		claims := w.claims(a.text("access_token"), issuerURL)
		made["jti"] = append(made["jti"], claims.ID)
		made["refresh token"] = append(made["refresh token"], a.text("refresh_token"))
		made["device"] = append(made["device"], a.text("device"))
		if strings.Contains(a.text("refresh_token"), claims.SessionID) {
			t.Fatal("the refresh token holds the public name of its session")
		}
	}
	for kind, bits := range map[string]float64{"sub": 120, "jti": 120, "refresh token": 250, "device": 240} {
		values := made[kind]
		if carried := entropy(values); carried < bits {
			t.Errorf("%s carries %.0f bits, want %.0f: %q", kind, carried, bits, values[:2])
		}
		if unique := slices.Compact(slices.Sorted(slices.Values(values))); len(unique) != samples {
			t.Errorf("%s: %d of %d are different", kind, len(unique), samples)
		}
	}
}

// entropy adds up Shannon's entropy of the characters at each place. It sees a counter, a clock and an alphabet that is
// smaller than it looks, and no more than a sample shows.
func entropy(values []string) (bits float64) {
	for i := range values[0] {
		count := map[byte]float64{}
		for _, value := range values {
			if i < len(value) {
				count[value[i]]++
			}
		}
		for _, n := range count {
			p := n / float64(len(values))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
