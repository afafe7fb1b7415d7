package strict_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/strict"
)

const claims = `{"iss":"https://api.example.com","sub":"01963fd2b2c87e5d9fd42e0a3f1f7d44","aud":"https://api.example.com",` +
	`"exp":1763790000,"iat":1763789400,"jti":"3VQYH5ZV2L5N6NQWJ7C3A4KX7E","client_id":"doorward",` +
	`"sid":"01963fd2-b2c8-7e5d-9fd4-2e0a3f1f7d44","auth_time":1763789400,"scope":"orders:read orders:write","roles":["admin","staff"]}`

func BenchmarkObject(b *testing.B) {
	b.ReportAllocs()
	data := []byte(claims)
	for b.Loop() {
		if err := strict.Object(data, 32, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBase64(b *testing.B) {
	text := base64.RawURLEncoding.EncodeToString([]byte(claims))
	dst := make([]byte, 0, len(text))
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := strict.AppendBase64(dst, text); err != nil {
			b.Fatal(err)
		}
	}
}

// The costliest objects of 8 KiB: as many names as allowed, and names that must be unescaped to be compared.
func BenchmarkObjectHostile(b *testing.B) {
	escaped := make([]string, 0, 512)
	for i := range 512 {
		escaped = append(escaped, fmt.Sprintf(`"\u%04x":0`, i+0x100))
	}
	for name, text := range map[string]string{
		"names":   manyNames(strict.MaxMembers),
		"escaped": "{" + strings.Join(escaped, ",") + "}",
		"deep":    `{"a":` + strings.Repeat(strings.Repeat("[", 30)+strings.Repeat("]", 30)+",", 130) + "0}",
	} {
		b.Run(name, func(b *testing.B) {
			data := []byte(text)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_ = strict.Object(data, depth, nil)
			}
		})
	}
}
