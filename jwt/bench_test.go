package jwt_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/doorward/doorward/jwt"
)

// benchPayload has the size of a usual access token's: 295 bytes.
const benchPayload = `{"iss":"https://id.example.com","sub":"01963fd2b2c87e5d9fd42e0a3f1f7d44","aud":"https://api.example.com","iat":1763789400,` +
	`"nbf":1763789400,"exp":1763790000,"jti":"3VQYH5ZV2L5N6NQWJ7","sid":"01963fd2-b2c8-7e5d-9fd4-2e0a3f1f7d44",` +
	`"scope":"orders:read orders:write","roles":["admin","staff","ops"]}`

func BenchmarkVerify(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(string(alg), func(b *testing.B) {
			k := newKey(b, alg)
			set := newSet(b, k)
			token := sign(b, k, "at+jwt", json.RawMessage(benchPayload))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwt.Verify(b.Context(), token, set, "at+jwt"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(string(alg), func(b *testing.B) {
			k := newKey(b, alg)
			var claims any = json.RawMessage(benchPayload)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwt.Sign(k, "at+jwt", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What anyone can send, from the cheapest to refuse to the dearest.
func BenchmarkReject(b *testing.B) {
	k := newKey(b, jwt.HS256)
	good := sign(b, k, "at+jwt", json.RawMessage(benchPayload))
	for name, token := range map[string]string{
		"too long":        strings.Repeat("A", 100_000),
		"dots":            strings.Repeat(".", jwt.MaxSize),
		"no JSON":         "AAAA.AAAA.AAAA",
		"none":            b64(`{"alg":"none"}`) + "." + b64(benchPayload) + ".",
		"unknown key":     hs256(b, `{"alg":"HS256","kid":"zzz"}`, benchPayload),
		"bad base64":      good + "\n",
		"wrong signature": good[:len(good)-4] + "AAAA",
	} {
		b.Run(name, func(b *testing.B) {
			set := newSet(b, k)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwt.Verify(context.Background(), token, set, "at+jwt"); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
