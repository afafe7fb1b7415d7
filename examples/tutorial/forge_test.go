package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/doorward/doorward/issuer"
)

// recipe says how a token of the recordings was made.
type recipe struct {
	Header json.RawMessage   `json:"header"`
	Claims json.RawMessage   `json:"claims"`
	Sign   string            `json:"sign"`
	Key    *string           `json:"key"`
	Post   []json.RawMessage `json:"post"`
}

// forge makes the tokens of the recordings anew: the recipe "valid" is a good token of the example, and
// every other recipe the same fault in one. What counts as the fault is what sets the recipe
// apart from "valid"; names that the example has another word for are translated.
type forge struct {
	recipes map[string]recipe
	key     ed25519.PrivateKey
	kid     string
	url     string
	ids     map[string]string // from a name in the recordings to the id in the users table
	now     int64             // of the token that is being made
}

// member is one member of a JSON object, in the order in which it is written.
type member struct {
	name string
	raw  string
}

var b64 = base64.RawURLEncoding

func newForge(t *testing.T, a *app, recipes string) *forge {
	t.Helper()
	f := &forge{url: a.url, ids: map[string]string{}}
	var file struct{ Recipes map[string]recipe }
	readTestdata(t, recipes, &file)
	f.recipes = file.Recipes
	// The recordings use this one without a recipe; its name says what it is.
	claims, _ := members(file.Recipes["valid"].Claims)
	f.recipes["sub_array"] = recipe{Claims: json.RawMessage(object(with(claims, member{"sub", `["test"]`})))}
	f.key, f.kid = signingKey(t, a)
	for _, p := range a.dialect.people {
		u, err := a.users.byName(t.Context(), p.name)
		if err != nil {
			t.Fatal(err)
		}
		f.ids[p.name] = u.id
	}
	return f
}

// signingKey opens the key that the example signs with, as whoever holds the store and the
// master key can.
func signingKey(t *testing.T, a *app) (ed25519.PrivateKey, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(a.data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := b64.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := a.store.KeyRing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := slices.IndexFunc(ring.Keys, func(k issuer.StoredKey) bool { return k.Purpose == issuer.PurposeSign })
	stored := ring.Keys[n]
	block, _ := pem.Decode(unseal(t, master, stored))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(ed25519.PrivateKey), stored.ID
}

func unseal(t *testing.T, master []byte, stored issuer.StoredKey) []byte {
	t.Helper()
	derived, err := hkdf.Key(sha256.New, master, nil, "doorward seal 1", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, nil, stored.Sealed, []byte(stored.Purpose+"\x00"+stored.ID))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// token makes the token of one recipe.
func (f *forge) token(t *testing.T, name string) string {
	t.Helper()
	f.now = time.Now().Unix()
	r, ok := f.recipes[name]
	if !ok {
		t.Fatalf("no recipe %q", name)
	}
	key := f.key
	if r.Key != nil { // someone else's, or one that everybody knows
		seed := sha256.Sum256([]byte(*r.Key))
		key = ed25519.NewKeyFromSeed(seed[:])
	}
	payload, typ := f.claims(t, r)
	header := f.header(r, typ, key)
	token := f.sign(r, key, b64.EncodeToString([]byte(header))+"."+b64.EncodeToString([]byte(payload)))
	for _, op := range r.Post {
		token = f.post(t, token, op)
	}
	return token
}

// header writes the header of a good token with the recipe's fault in it. A recipe's "typ"
// JWT is the tutorials' good one, and its type claim is our typ.
func (f *forge) header(r recipe, typ string, key ed25519.PrivateKey) string {
	good := []member{{"alg", `"EdDSA"`}, {"kid", strconv.Quote(f.kid)}}
	if typ != "" {
		good = append(good, member{"typ", typ})
	}
	if r.Header == nil {
		return object(good)
	}
	given, ok := members(r.Header)
	if !ok {
		return rawText(r.Header)
	}
	if len(given) == 1 && given[0] == (member{"alg", `"HS256"`}) {
		good = without(good, "typ")
	}
	if !has(given, "alg") {
		good = without(good, "alg")
	}
	for _, m := range given {
		switch m {
		case member{"alg", `"HS256"`}, member{"typ", `"JWT"`}:
			continue
		case member{"alg", `"hs256"`}:
			m.raw = `"eddsa"`
		case member{"typ", `"at+jwt"`}: // the one that is not the tutorials' own
			m.raw = `"JWT"`
		}
		if m.name == "jwk" {
			x := b64.EncodeToString(key.Public().(ed25519.PublicKey))
			m.raw = `{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}`
		}
		good = with(good, m)
	}
	return object(good)
}

// claims writes the claims of a good token with the recipe's fault in them, and returns
// the typ that the recipe's type claim asks for.
func (f *forge) claims(t *testing.T, r recipe) (payload, typ string) {
	t.Helper()
	given, ok := members(f.dated(r.Claims))
	if !ok {
		return rawText(r.Claims), `"at+jwt"`
	}
	if len(given) == 0 {
		return "{}", `"at+jwt"`
	}
	valid, _ := members(f.dated(f.recipes["valid"].Claims))
	written := r.Claims[0] == '{' // a raw text leaves out what does not matter to its fault
	return f.faulty(f.good(), valid, given, written)
}

// good is the claims of a good access token, made a minute ago.
func (f *forge) good() []member {
	made := strconv.FormatInt(f.now-60, 10)
	user := `"` + f.ids["test"] + f.ids["user1"] + `"` // one of them exists
	return []member{
		{"iss", strconv.Quote(f.url)},
		{"sub", user},
		{"aud", strconv.Quote(f.url)},
		{"iat", made},
		{"exp", strconv.FormatInt(f.now+900, 10)},
		{"jti", strconv.Quote(rand.Text())},
		{"client_id", `"doorward"`},
		{"sid", strconv.Quote(newSID(f.now - 60))},
		{"auth_time", made},
		{"roles", `["user"]`},
	}
}

// faulty applies to good what sets given apart from valid.
func (f *forge) faulty(good, valid, given []member, whole bool) (payload, typ string) {
	typ = `"at+jwt"`
	if whole {
		for _, m := range valid {
			if !has(given, m.name) {
				good = without(good, ourName(m.name))
				if m.name == "type" {
					typ = ""
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, m := range given {
		same := slices.Contains(valid, m) || ourName(m.name) == "sub" && (m.raw == `"test"` || m.raw == `"user1"`)
		if m.name == "type" && !same {
			typ = m.raw
		}
		if same && !seen[m.name] || m.name == "type" {
			continue
		}
		ours := member{ourName(m.name), f.ourValue(m)}
		if seen[m.name] {
			good = append(good, ours)
		} else {
			good = with(good, ours)
		}
		seen[m.name] = true
	}
	return object(f.plausible(good, given)), typ
}

// plausible moves the time at which a token was made before its end, if it ended in the past: a
// fault should come alone.
func (f *forge) plausible(claims, given []member) []member {
	for _, m := range claims {
		end, err := strconv.ParseInt(m.raw, 10, 64)
		if m.name != "exp" || err != nil || end <= 0 || end > f.now-60 || has(given, "iat") {
			continue
		}
		claims = with(claims, member{"iat", strconv.FormatInt(end-600, 10)})
	}
	return claims
}

// ourName is what the example calls a claim of the tutorials.
func ourName(name string) string {
	switch name {
	case "user":
		return "sub"
	case "fresh":
		return "auth_time"
	}
	return name
}

func (f *forge) ourValue(m member) string {
	name := strings.Trim(m.raw, `"`)
	switch {
	case ourName(m.name) == "sub" && f.ids[name] != "":
		return strconv.Quote(f.ids[name])
	case m.name == "fresh":
		return strconv.FormatInt(f.now, 10)
	}
	return m.raw
}

func (f *forge) sign(r recipe, key ed25519.PrivateKey, input string) string {
	var signature []byte
	switch r.Sign {
	case "", "HS256":
		signature = ed25519.Sign(key, []byte(input))
	case "HS512": // keyed with what every verifier knows
		mac := hmac.New(sha512.New, key.Public().(ed25519.PublicKey))
		mac.Write([]byte(input))
		signature = mac.Sum(nil)
	case "junk":
		signature = make([]byte, ed25519.SignatureSize)
		_, _ = rand.Read(signature)
	case "none":
	}
	return input + "." + b64.EncodeToString(signature)
}

// post applies one of the operations on the text of a token.
func (f *forge) post(t *testing.T, token string, op json.RawMessage) string {
	t.Helper()
	var parts []json.RawMessage
	if err := json.Unmarshal(op, &parts); err != nil {
		t.Fatal(err)
	}
	arg := func(n int) string { return rawText(parts[n]) }
	segments := strings.Split(token, ".")
	switch arg(0) {
	case "append":
		return token + arg(1)
	case "prepend":
		return arg(1) + token
	case "drop_sig":
		return segments[0] + "." + segments[1] + "."
	case "two_segments":
		return segments[0] + "." + segments[1]
	case "extra_segment":
		return token + "." + arg(1)
	case "sig_last_sibling":
		return lastChar(token, 1) // the last bits of the last character mean nothing
	case "sig_last_flip":
		return lastChar(token, 32)
	case "sig_insert":
		at := len(token) - len(segments[2]) + number(t, parts[1])
		return token[:at] + arg(2) + token[at:]
	case "set_claims":
		payload, _ := f.claims(t, recipe{Claims: parts[1]})
		return segments[0] + "." + b64.EncodeToString([]byte(payload)) + "." + segments[2]
	case "set_header":
		header := f.header(recipe{Header: parts[1]}, `"at+jwt"`, f.key)
		return b64.EncodeToString([]byte(header)) + "." + segments[1] + "." + segments[2]
	case "upper":
		return strings.ToUpper(token)
	case "raw":
		return arg(1)
	}
	t.Fatalf("unknown operation %s", op)
	return ""
}

// lastChar flips one bit of the value of the last character.
func lastChar(token string, bit int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^bit])
}

var dates = regexp.MustCompile(`\\?"?\{\{(now|uuid)([+-]\d+)?\}\}\\?"?`)

// dated puts numbers in the place of the templates. A uuid stays as it is: it is compared, not sent.
func (f *forge) dated(raw json.RawMessage) json.RawMessage {
	return dates.ReplaceAllFunc(raw, func(found []byte) []byte {
		m := dates.FindSubmatch(found)
		if string(m[1]) == "uuid" {
			return []byte(`"0-0-0-0-0"`)
		}
		offset, _ := strconv.ParseInt(string(m[2]), 10, 64)
		return strconv.AppendInt(nil, f.now+offset, 10)
	})
}

// newSID is a session id that nobody has ended.
func newSID(now int64) string {
	var raw [10]byte
	_, _ = rand.Read(raw[:])
	ms := strconv.FormatInt(now*1000+1<<48, 16)[1:]
	hex := func(b []byte) string {
		return strconv.FormatInt(1<<32|int64(b[0])<<24|int64(b[1])<<16|int64(b[2])<<8|int64(b[3]), 16)[1:]
	}
	tail := hex(raw[0:4]) + hex(raw[4:8])
	return ms[:8] + "-" + ms[8:12] + "-7" + tail[:3] + "-8" + tail[3:6] + "-" + tail[4:16]
}

// members reads an object, given as one or as the text of one, in order and with duplicates. It
// reports false for anything else.
func members(raw json.RawMessage) ([]member, bool) {
	text := rawText(raw)
	dec := jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, false
	}
	var found []member
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		text := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		found = append(found, member{text, string(bytes.TrimSpace(value))})
	}
	return found, true
}

// rawText is the text of a JSON string, or the JSON of anything else.
func rawText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
		return text
	}
	return string(raw)
}

func object(list []member) string {
	var b strings.Builder
	for i, m := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(m.name) + ":" + m.raw)
	}
	return "{" + b.String() + "}"
}

func has(list []member, name string) bool {
	return slices.ContainsFunc(list, func(m member) bool { return m.name == name })
}

func without(list []member, name string) []member {
	return slices.DeleteFunc(slices.Clone(list), func(m member) bool { return m.name == name })
}

func with(list []member, m member) []member {
	list = slices.Clone(list)
	if n := slices.IndexFunc(list, func(o member) bool { return o.name == m.name }); n >= 0 {
		list[n] = m
		return list
	}
	return append(list, m)
}

func number(t *testing.T, raw json.RawMessage) int {
	t.Helper()
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
