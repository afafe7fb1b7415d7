package remote_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/jwt"
	"github.com/doorward/doorward/remote"
)

// Attack_G03, Behaviour_B28, Behaviour_P92, Standard_D11: whatever a set's host answers, it is bounded, refused as a
// whole, reported with its reason, and the good set stays.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	internal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("the internal host was asked")
		w.WriteHeader(http.StatusTeapot)
	}))
	defer internal.Close()
	text := func(text string) http.HandlerFunc { return typed("application/json", text) }
	secret, private := privateJWKs(t)
	good := kids(t, "evil")
	for _, tt := range []struct {
		name, reason string
		handler      http.HandlerFunc
	}{
		{"100 MB", "size", endless(100 << 20)},
		{"100 MB announced", "size", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(100<<20))
			endless(100<<20)(w, r)
		}},
		{"a byte over 1 MiB", "size", text(good + strings.Repeat(" ", 1<<20+1-len(good)))},
		{"gzip bomb", "type", bomb},
		{"redirect to an internal host", "status", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, internal.URL, http.StatusFound)
		}},
		{"permanent redirect", "status", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, internal.URL, http.StatusPermanentRedirect)
		}},
		{"404 with a set", "status", status(404, good)},
		{"500 with a set", "status", status(500, good)},
		{"204", "status", status(204, "")},
		{"206 with a set", "status", status(206, good)},
		{"HTML", "type", typed("text/html", "<html>log in</html>")},
		{"set as HTML", "type", typed("text/html; charset=utf-8", good)},
		{"set as text", "type", typed("text/plain", good)},
		{"set as bytes", "type", typed("application/octet-stream", good)},
		{"set as a +json that is no application", "type", typed("model/gltf+json", good)},
		{"no type", "type", typed("", good)},
		{"HTML as JSON", "content", text("<html>log in</html>")},
		{"nothing", "content", text("")},
		{"list", "content", text("[" + good + "]")},
		{"null", "content", text("null")},
		{"string", "content", text(`"keys"`)},
		{"no keys member", "content", text(`{}`)},
		{"keys is an object", "content", text(`{"keys":{}}`)},
		{"keys twice", "content", text(good[:len(good)-1] + `,"keys":[]}`)},
		{"something behind", "content", text(good + "{}")},
		{"byte order mark", "content", text("\ufeff" + good)},
		{"not UTF-8", "content", text(good[:len(good)-1] + ",\"x\":\"\xff\"}")},
		{"deep", "content", text(`{"keys":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}")},
		{"empty keys", "content", text(`{"keys":[]}`)},
		{"keys of nobody's kind", "content", text(`{"keys":[{"kty":"XXL","kid":"evil"},7,null]}`)},
		{"duplicate kid", "content", text(joined(good, kids(t, "evil")))},
		{"private key", "content", text(joined(good, `{"keys":[`+private+`]}`))},
		{"private key alone", "content", text(`{"keys":[` + private + `]}`)},
		{"private key of a later kind", "content", text(joined(good, `{"keys":[{"kty":"AKP","kid":"x","priv":"AAAA"}]}`))},
		{"oct key", "content", text(joined(good, `{"keys":[`+secret+`]}`))},
		{"oct key alone", "content", text(`{"keys":[` + secret + `]}`)},
		{"oct key for encryption", "content", text(joined(good, `{"keys":[{"kty":"oct","use":"enc","kid":"x","k":"AAAA"}]}`))},
		{"10,000 keys", "content", text(many(10_000))},
		{"101 keys", "content", text(many(101))},
		{"cut short", "network", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", fmt.Sprint(len(good)+1))
			_, _ = io.WriteString(w, good)
		}},
		{"endless headers", "network", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Pad", strings.Repeat("x", 128<<10))
			_, _ = io.WriteString(w, good)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			host := httptest.NewServer(tt.handler)
			defer host.Close()
			f := newFixture(t, func(c *remote.Config) { c.URL, c.Transport = host.URL, nil })
			f.want(t, "evil", remote.ErrUnavailable)
			if got := f.outcome(); got != (remote.Outcome{Reason: tt.reason}) {
				t.Errorf("outcome %v, want reason %q", got, tt.reason)
			}
		})
	}
}

// Who publishes a set under no type of JSON is told so.
func TestContentTypeIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.set(serves(setOf(t, newKey(t, "good")), "Content-Type", "text/plain; charset=utf-8"))
		err := f.keys.Refresh(t.Context())
		if !errors.Is(err, remote.ErrUnavailable) || !strings.Contains(err.Error(), `"text/plain; charset=utf-8", want application/json`) {
			t.Errorf("error is %v, want ErrUnavailable that names both types", err)
		}
	})
}

// The same answers through a transport of the user's own, after a good set: it stays in use. Attack_G03.
func TestHostileAnswerKeepsGoodSet(t *testing.T) {
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"down":    down,
		"status":  func(*http.Request) (*http.Response, error) { return response(500, ""), nil },
		"HTML":    serves("<html>", "Content-Type", "text/html"),
		"empty":   serves(`{"keys":[]}`),
		"list":    serves(`[]`),
		"many":    serves(many(10_000)),
		"endless": func(*http.Request) (*http.Response, error) { return endlessResponse(), nil },
		"drip":    func(r *http.Request) (*http.Response, error) { return dripResponse(r), nil },
		"hang":    slow(time.Hour, down),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				key := newKey(t, "good")
				f.set(serves(setOf(t, key)))
				f.want(t, "good", nil)
				time.Sleep(31 * time.Second)
				f.set(answer)
				begin := time.Now()
				f.want(t, "other", remote.ErrUnavailable)
				if waited := time.Since(begin); waited > 5*time.Second {
					t.Errorf("waited %v, the limit is 5 s", waited)
				}
				if got := f.outcome(); got.Keys != 1 || got.Reason == "ok" {
					t.Errorf("outcome %v", got)
				}
				if err := f.verifies(t.Context(), key); err != nil {
					t.Errorf("a good token: %v", err)
				}
			})
		})
	}
}

// Attack_G03: a set may be 1 MiB long, and of what is longer no more is read than tells so.
func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	set := kids(t, "a")
	f.set(serves(set + strings.Repeat(" ", 1<<20-len(set))))
	f.want(t, "a", nil)

	endless := newFixture(t, nil)
	read := 0
	endless.set(func(*http.Request) (*http.Response, error) {
		r := response(200, "")
		r.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) { read += len(p); return spaces{}.Read(p) }))
		return r, nil
	})
	endless.want(t, "a", remote.ErrUnavailable)
	if read > 1<<20+1 {
		t.Errorf("%d bytes were read", read)
	}
}

// What a good set may look like, and which of its keys do not verify. Behaviour_B29, Behaviour_P92.
func TestUnusableKeysAreSkipped(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwt.NewKey(jwt.ES256, ec)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	public, err := key.MarshalPublicJWK()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(public, &members); err != nil {
		t.Fatal(err)
	}
	jwk := func(kid string, change map[string]any) string {
		own := map[string]any{"kid": kid}
		for name, value := range members {
			if name != "kid" && name != "use" {
				own[name] = value
			}
		}
		for name, value := range change {
			own[name] = value
		}
		text, err := json.Marshal(own)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	f := newFixture(t, nil)
	f.set(serves(`{"keys":[` + strings.Join([]string{
		jwk("sig", map[string]any{"use": "sig"}),
		jwk("plain", nil),
		jwk("verify", map[string]any{"key_ops": []string{"verify"}}),
		jwk("enc", map[string]any{"use": "enc"}),
		jwk("sign-only", map[string]any{"key_ops": []string{"sign"}}),
		jwk("derive", map[string]any{"key_ops": []string{"deriveKey"}}),
		jwk("other-alg", map[string]any{"alg": "RS256"}),
		jwk("other-curve", map[string]any{"alg": "ES384"}),
		`{"kty":"RSA","kid":"small","e":"AQAB","n":"` + strings.Repeat("x", 171) + `"}`,
		`{"kty":"OKP","crv":"X25519","kid":"x25519","x":"` + strings.Repeat("A", 43) + `"}`,
		`{"kty":"AKP","kid":"future","pub":"AAAA"}`,
	}, ",") + `]}`))
	for kid, want := range map[string]error{
		"sig": nil, "plain": nil, "verify": nil, "enc": jwt.ErrKey, "derive": jwt.ErrKey, "other-alg": jwt.ErrKey,
		"other-curve": jwt.ErrKey, "small": jwt.ErrKey, "x25519": jwt.ErrKey, "future": jwt.ErrKey,
	} {
		f.want(t, kid, want)
	}
	for kid, want := range map[string]error{"sig": nil, "plain": nil, "verify": nil, "sign-only": jwt.ErrKey, "enc": jwt.ErrKey} {
		signer, err := key.WithID(kid)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.verifies(t.Context(), signer); !isErr(err, want) {
			t.Errorf("a token of %q: %v, want %v", kid, err, want)
		}
	}
}

// Behaviour_P91: the request says what it wants; a user's transport adds what it likes.
func TestRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.set(serves(kids(t, "a"), "Content-Type", "application/jwk-set+json", "Content-Encoding", "identity"))
	f.want(t, "a", nil)
	r := f.last()
	if r.Method != http.MethodGet || r.URL.String() != setURL || !strings.Contains(r.Header.Get("Accept"), "application/json") {
		t.Errorf("%s %s, Accept %q", r.Method, r.URL, r.Header.Get("Accept"))
	}
	if _, ok := r.Context().Deadline(); !ok {
		t.Error("the request has no time limit")
	}
}

// Behaviour_P98: a certificate that nobody vouches for is refused, one that the given transport trusts is not; bodies are closed.
func TestTLS(t *testing.T) {
	t.Parallel()
	host := httptest.NewTLSServer(typed("application/json", kids(t, "a")))
	defer host.Close()
	host.Config.ErrorLog = quietLog()
	stranger := newFixture(t, func(c *remote.Config) { c.URL, c.Transport = host.URL, nil })
	stranger.want(t, "a", remote.ErrUnavailable)
	if got := stranger.outcome().Reason; got != "network" {
		t.Errorf("outcome %q", got)
	}
	trusting := newFixture(t, func(c *remote.Config) { c.URL, c.Transport = host.URL, host.Client().Transport })
	trusting.want(t, "a", nil)

	body := &closing{Reader: strings.NewReader("{}")}
	failing := newFixture(t, nil)
	failing.set(func(*http.Request) (*http.Response, error) {
		r := response(500, "")
		r.Body = body
		return r, nil
	})
	failing.want(t, "a", remote.ErrUnavailable)
	if !body.closed {
		t.Error("the body of an error was not closed")
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func typed(typ, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{typ}
		_, _ = io.WriteString(w, text)
	}
}

func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

// endless writes n bytes of white space, unless the client hangs up.
func endless(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte(" "), 64<<10)
		for range n / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

// bomb is 100 MB of white space in 100 kB, sent to a client that did not ask for compression.
func bomb(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	defer z.Close() //nolint:errcheck // the client has gone
	_, _ = io.Copy(z, io.LimitReader(spaces{}, 100<<20))
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

func endlessResponse() *http.Response {
	r := response(200, "")
	r.Body = io.NopCloser(spaces{})
	return r
}

// dripResponse sends a byte each second, for as long as it is asked.
func dripResponse(r *http.Request) *http.Response {
	resp := response(200, "")
	resp.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) {
		timer := time.NewTimer(time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
			return copy(p, " "), nil
		case <-r.Context().Done():
			return 0, r.Context().Err()
		}
	}))
	return resp
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// joined is one set with the keys of both.
func joined(a, b string) string {
	return strings.TrimSuffix(a, "]}") + "," + strings.TrimPrefix(b, `{"keys":[`)
}

func many(n int) string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"%d","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, i)
	}
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

func privateJWKs(t *testing.T) (secret, private string) {
	t.Helper()
	for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.EdDSA} {
		key, err := jwt.GenerateKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		text, err := key.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		secret, private = private, string(text)
	}
	return secret, private
}
