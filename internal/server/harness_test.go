package server_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/admin"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/internal/feed"
	"github.com/doorward/doorward/internal/reference"
	"github.com/doorward/doorward/internal/reference/referencetest"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/sqlstore/sqlstoretest"
	"github.com/doorward/doorward/issuer"
	"github.com/doorward/doorward/password"
	"github.com/doorward/doorward/sqlite"
)

const (
	issuerURL  = "https://auth.example"
	aliceWord  = "canary-alice-rides-a-blue-tram"
	bobWord    = "canary-bob-keeps-seven-lanterns"
	adminWord  = "canary-admin-first-word-of-many"
	otherName  = "https://orders.example"
	goodWord   = "a-new-word-that-is-long-enough"
	jsonMedia  = "application/json"
	cookieName = issuer.CookieName
)

// wireText is what error and error_description may hold (RFC 6750 §3).
var wireText = regexp.MustCompile(`^[\x20\x21\x23-\x5B\x5D-\x7E]+$`)

// otherMedia are the media types of answers that are not one JSON object.
var otherMedia = []string{"application/yaml", "text/html; charset=utf-8", "application/jsonl"}

// pagePolicy lets a page have one style, and run nothing.
var pagePolicy = regexp.MustCompile(`^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$`)

// world is one server on a store of its own: real issuer, real people, real sockets.
// At its end every log record is read: each is JSON, and none holds a secret.
type world struct {
	t       *testing.T
	server  *server.Server
	issuer  *issuer.Issuer
	people  *account.People
	keys    *account.APIKeys
	file    *sqlite.Store
	store   sqlstoretest.Whole // of the file
	dir     string             // of the store
	logs    *logBuffer
	address string // "" without a socket: requests go straight to the handler
	alice   string // subject
	bob     string
	set     settings

	mu      sync.Mutex // guards secrets
	secrets []string
}

type settings struct {
	issuer issuer.Config
	server server.Config
	hasher password.Config
	people account.Hasher // in the place of that of hasher
	direct bool           // no socket
	chain  chainReader    // in the place of the store's for the admin API

	backups      *backup.Folder
	exportHashes bool
	credentials  credentialReader // in the place of the store's for exports
	duringIssue  func()           // is called while a token is issued; nil for nothing
	duringCheck  func()           // and while the configuration is checked
}

func newWorld(t *testing.T, adjust ...func(*settings)) *world {
	t.Helper()
	key := issuer.GenerateMasterKey()
	w := &world{t: t, logs: &logBuffer{}, secrets: []string{aliceWord, bobWord, adminWord, goodWord, key.Text()}}
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.dir = t.TempDir()
	w.file, err = sqlite.Open(t.Context(), filepath.Join(w.dir, "doorward.db"))
	must(t, err)
	t.Cleanup(func() { must(t, w.file.Close()) })
	w.store = sqlstoretest.In(w.file.Store)
	set := settings{
		issuer: issuer.Config{Issuer: issuerURL, Store: w.store, MasterKey: key, Audiences: []string{otherName}, Username: true, Logger: log},
		server: server.Config{Audiences: []string{otherName}, Logger: log},
		hasher: password.Config{KeepMemory: true}, backups: backup.New(filepath.Join(w.dir, "backups"), w.file.Backup),
	}
	for _, f := range adjust {
		f(&set)
	}
	argon := password.New(set.hasher)
	hasher, reserved := account.Hasher(remembering{argon}), account.Hasher(argon.Reserved())
	if set.people != nil {
		hasher, reserved = set.people, set.people
	}
	w.people, err = account.New(account.Config{
		Store: w.store, Bulk: bulk{w.store, set.credentials}, Resets: w.store, Devices: w.store, Edits: w.store, Roles: w.store, Throttle: w.store, Hasher: hasher, Reserved: reserved,
	})
	must(t, err)
	w.set = set
	w.build()
	w.alice, w.bob = w.addUser("alice", aliceWord, "staff"), w.addUser("bob", bobWord)
	if !set.direct {
		w.listen()
	}
	t.Cleanup(w.checkLogs)
	return w
}

// remembering is a hasher that hashes the passwords of each world's users once for all worlds.
type remembering struct{ account.Hasher }

var hashes sync.Map // by password

func (r remembering) Hash(ctx context.Context, text string) (string, error) {
	if text != aliceWord && text != bobWord {
		return r.Hasher.Hash(ctx, text)
	}
	if hash, ok := hashes.Load(text); ok {
		return hash.(string), nil
	}
	hash, err := r.Hasher.Hash(ctx, text)
	if err == nil {
		hashes.Store(text, hash)
	}
	return hash, err
}

// build makes issuer and server on the store.
func (w *world) build() {
	w.t.Helper()
	var err error
	revoked := feed.New(w.store)
	w.set.issuer.Followed, w.set.server.Feed, w.set.server.Clients = revoked.Publish, revoked, account.NewClients(account.ClientsConfig{Store: w.store})
	w.set.issuer.Subjects = w.people
	w.issuer, err = issuer.New(w.t.Context(), w.set.issuer)
	must(w.t, err)
	w.keys = account.NewAPIKeys(account.APIKeysConfig{Store: w.store, Audiences: []string{issuerURL, otherName}})
	w.set.server.APIKeys = w.keys
	w.set.server.KeyTokens = apikey.New(apikey.Config{Keys: w.keys, Issuer: w.issuer, Header: "X-API-Key"})
	w.set.server.Endpoints = apikey.Routes(w.keys, w.people, w.issuer, w.set.server.Prefix)
	w.set.server.Issuer, w.set.server.People = w.issuer, w.people
	program := running
	program.Check = func() admin.ConfigCheck {
		if w.set.duringCheck != nil {
			w.set.duringCheck()
		}
		return running.Check()
	}
	api, err := admin.New(admin.Config{Issuer: w.issuer, People: w.people, Clients: w.set.server.Clients, APIKeys: w.keys, Audit: audited{w.store, w.set.chain}, MasterKey: w.set.issuer.MasterKey, NewIssuer: w.issuerOf, Program: program, Backups: w.set.backups, ExportHashes: w.set.exportHashes, Prefix: w.set.server.Prefix})
	must(w.t, err)
	w.set.server.Admin = api.Routes()
	w.set.server.Endpoints = append(w.set.server.Endpoints, reference.Routes()...)
	w.server, err = server.New(w.set.server)
	must(w.t, err)
}

// running is what the admin API says that runs.
var running = admin.Program{
	Version:  admin.Version{Version: "v1.2.3", Commit: "c0ffee", Go: "go1", Platform: "linux/amd64"},
	Settings: []admin.Setting{{Key: "listen", Value: "127.0.0.1:8080", Origin: "default", Env: "DOORWARD_LISTEN"}},
	Check: func() admin.ConfigCheck {
		return admin.ConfigCheck{
			Problems:     []admin.ConfigProblem{{Where: "doorward.yaml:3:1", Key: "listne", Text: "unknown key", Hint: "did you mean listen"}},
			NeedsRestart: []string{"issuer"},
		}
	},
}

// askedLate are subjects about whom somebody asks after something else has happened.
type askedLate struct {
	issuer.Subjects

	before func()
}

func (a askedLate) Subject(ctx context.Context, id string) (issuer.Subject, error) {
	a.before()
	return a.Subjects.Subject(ctx, id)
}

// issuerOf makes an issuer beside that of the world.
func (w *world) issuerOf(ctx context.Context, subjects issuer.Subjects, lifetime time.Duration) (*issuer.Issuer, error) {
	if w.set.duringIssue != nil {
		subjects = askedLate{subjects, w.set.duringIssue}
	}
	set := w.set.issuer
	set.Subjects, set.Followed, set.AccessTTL = subjects, nil, cmp.Or(lifetime, set.AccessTTL)
	return issuer.New(ctx, set)
}

// restarted is another process on the same store: nothing in memory is kept.
func (w *world) restarted() *world {
	again := &world{
		t: w.t, people: w.people, store: w.store, logs: w.logs, set: w.set,
		alice: w.alice, bob: w.bob, secrets: w.secrets,
	}
	again.build()
	again.listen()
	return again
}

// listen serves on loopback until the test ends.
func (w *world) listen() {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	w.address = l.Addr().String()
	ctx, stop := context.WithCancel(w.t.Context())
	var group sync.WaitGroup
	group.Go(func() { _ = w.issuer.Run(ctx) })
	group.Go(func() {
		if err := w.server.Serve(ctx, l); err != nil {
			w.t.Errorf("Serve: %v", err)
		}
	})
	w.t.Cleanup(func() { stop(); group.Wait() })
}

func (w *world) addUser(name, word string, roles ...string) string {
	w.t.Helper()
	user, err := w.people.Add(w.t.Context(), account.NewUser{Name: name, Password: word, Roles: roles}, issuer.Event{Actor: "test"})
	must(w.t, err)
	return user.ID
}

// known are the texts that no log and no refusal may hold.
func (w *world) known() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.secrets)
}

// secret adds a text that no log may hold.
func (w *world) secret(texts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range texts {
		if text != "" {
			w.secrets = append(w.secrets, text)
		}
	}
}

// checkLogs reads every record. A token is looked for by its last part too.
func (w *world) checkLogs() {
	lines := w.logs.lines()
	if w.t.Skipped() {
		return
	}
	if len(lines) == 0 {
		w.t.Error("nothing was logged")
	}
	for _, line := range lines {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			w.t.Errorf("log line is not JSON: %v: %q", err, line)
		}
		for _, secret := range w.secrets {
			if bytes.Contains(line, []byte(secret)) || len(secret) > 40 && bytes.Contains(line, []byte(secret[len(secret)-30:])) {
				w.t.Errorf("a secret is in the log: %s", line)
			}
		}
	}
}

// logBuffer keeps what is logged. It is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *logBuffer) lines() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := bytes.TrimSpace(bytes.Clone(b.all.Bytes()))
	if len(text) == 0 {
		return nil
	}
	return bytes.Split(text, []byte("\n"))
}

// about returns the records with a request id.
func (b *logBuffer) about(id string) []map[string]any {
	var found []map[string]any
	for _, line := range b.lines() {
		var record map[string]any
		if json.Unmarshal(line, &record) == nil && record["request_id"] == id {
			found = append(found, record)
		}
	}
	return found
}

// answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	object map[string]any // nil if the body is empty
}

func (a answer) text(name string) string {
	text, _ := a.object[name].(string)
	return text
}

func (a answer) cookie() *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == cookieName {
			return c
		}
	}
	return nil
}

// with changes a request before it is sent.
type with func(*http.Request)

func header(name, value string) with {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func bearer(token string) with { return header("Authorization", "Bearer "+token) }

func refreshCookie(token string) with { return header("Cookie", cookieName+"="+token) }

// do sends a request. A body that is not a string is sent as JSON. Every answer
// is checked for what all answers must have.
func (w *world) do(method, path string, body any, changes ...with) answer {
	w.t.Helper()
	var reader io.Reader
	media := jsonMedia
	switch body := body.(type) {
	case nil:
		media = ""
	case string:
		reader = strings.NewReader(body)
	default:
		raw, err := json.Marshal(body)
		must(w.t, err)
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.host()+path, reader)
	must(w.t, err)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	for _, change := range changes {
		change(r)
	}
	return w.check(r, w.send(r))
}

func (w *world) host() string {
	if w.address == "" {
		return "localhost"
	}
	return w.address
}

// send sends a request, and holds what comes back against openapi.yaml.
func (w *world) send(r *http.Request) *http.Response {
	w.t.Helper()
	var sent []byte
	if r.GetBody != nil {
		body, err := r.GetBody()
		must(w.t, err)
		sent, err = io.ReadAll(body)
		must(w.t, err)
	}
	response := w.exchange(r)
	if response.Header.Get("Content-Type") == "text/event-stream" { // It does not end.
		return response
	}
	body, err := io.ReadAll(response.Body)
	must(w.t, err)
	must(w.t, response.Body.Close())
	response.Body = io.NopCloser(bytes.NewReader(body))
	w.promised(r, sent, response, body)
	return response
}

// promised checks that openapi.yaml has an answer.
func (w *world) promised(r *http.Request, sent []byte, response *http.Response, body []byte) {
	w.t.Helper()
	path, moved := strings.CutPrefix(r.URL.Path, w.set.server.Prefix)
	switch {
	case strings.HasPrefix(r.URL.Path, "/.well-known/oauth-authorization-server") && response.StatusCode != http.StatusNotFound:
		path = "/.well-known/oauth-authorization-server" // RFC 8414 puts the issuer's path behind it, and no prefix before it.
	case w.set.server.AdminApart && strings.HasPrefix(path, "/admin/v1/") && response.StatusCode == http.StatusNotFound:
		path = "/nothing" // It is on the other listener.
	case !moved, strings.HasPrefix(r.URL.Path, "/.well-known/oauth-authorization-server"):
		path = "/nothing"
	case path == "":
		path = "/"
	}
	if name := w.set.server.TokenField; name != "" && response.StatusCode == http.StatusOK {
		body = regexp.MustCompile(`"`+name+`":"[^"]*",?`).ReplaceAll(body, nil)
		body = bytes.ReplaceAll(body, []byte(",}"), []byte("}"))
	}
	err := referencetest.Check(referencetest.Answer{
		Method: r.Method, Path: path, Sent: sent, Status: response.StatusCode, Header: response.Header, Body: body,
	})
	if err != nil {
		w.t.Errorf("openapi.yaml: %v\n%s", err, body)
	}
}

func (w *world) exchange(r *http.Request) *http.Response {
	w.t.Helper()
	if w.address == "" {
		r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
		if r.Body == nil {
			r.Body = http.NoBody
		}
		recorder := httptest.NewRecorder()
		w.server.ServeHTTP(recorder, r)
		return recorder.Result()
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	must(w.t, err)
	return response
}

func (w *world) check(r *http.Request, response *http.Response) answer {
	w.t.Helper()
	body, err := io.ReadAll(response.Body)
	must(w.t, err)
	must(w.t, response.Body.Close())
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	if media := a.header.Get("Content-Type"); len(body) > 0 && !slices.Contains(otherMedia, media) {
		if err := json.Unmarshal(body, &a.object); err != nil {
			w.t.Errorf("%s %s: the body of %d is not a JSON object: %q", r.Method, r.URL.Path, a.status, body)
		}
		if got := a.header.Get("Content-Type"); got != jsonMedia {
			w.t.Errorf("%s %s: Content-Type %q", r.Method, r.URL.Path, got)
		}
	}
	w.checkEvery(r.Method+" "+r.URL.Path, r.Method, a)
	return a
}

// checkEvery holds of every answer of the server.
func (w *world) checkEvery(name, method string, a answer) {
	w.t.Helper()
	policy := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
	if a.header.Get("Content-Type") == "text/html; charset=utf-8" {
		policy = a.header.Get("Content-Security-Policy")
		if !pagePolicy.MatchString(policy) {
			w.t.Errorf("%s: a page with the policy %q", name, policy)
		}
	}
	for header, want := range map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Content-Security-Policy":      policy,
		"Cross-Origin-Resource-Policy": "same-origin",
		"Strict-Transport-Security":    "max-age=31536000", // Standard_U27
	} {
		if got := a.header.Values(header); len(got) != 1 || got[0] != want {
			w.t.Errorf("%s: %s is %q", name, header, got)
		}
	}
	for _, header := range []string{"Server", "X-Powered-By", "Content-Encoding"} {
		if got, ok := a.header[header]; ok {
			w.t.Errorf("%s: has %s %q", name, header, got)
		}
	}
	if got, ok := a.header["Location"]; ok != (a.status == http.StatusCreated && name != "POST /register") {
		w.t.Errorf("%s: %d with Location %q", name, a.status, got)
	}
	if len(a.header.Values("Vary")) > 1 {
		w.t.Errorf("%s: Vary in several lines: %q", name, a.header.Values("Vary"))
	}
	public := a.status < 400 && strings.HasPrefix(a.header.Get("Cache-Control"), "public, max-age=")
	if !public && a.header.Get("Cache-Control") != "no-store" {
		w.t.Errorf("%s: Cache-Control is %q", name, a.header.Get("Cache-Control"))
	}
	if a.status >= 400 && method != http.MethodHead {
		w.checkRefusal(name, a)
	}
	w.secret(a.text("access_token"), a.text("refresh_token"), a.text("device"), a.text("key"))
	if c := a.cookie(); c != nil {
		w.secret(c.Value)
	}
}

// checkRefusal holds of every refusal: the one shape, and what its status owes.
func (w *world) checkRefusal(name string, a answer) {
	w.t.Helper()
	members := slices.Sorted(maps.Keys(a.object))
	members = slices.DeleteFunc(members, func(s string) bool { return s == "reason" })
	if want := []string{"error", "error_description", "request_id"}; !slices.Equal(members, want) {
		w.t.Errorf("%s: a refusal with the members %q", name, members)
	}
	for _, member := range members {
		if a.text(member) == "" {
			w.t.Errorf("%s: %s is empty", name, member)
		}
	}
	if text := a.text("error") + a.text("error_description"); !wireText.MatchString(text) { // Standard_R11 Standard_O13
		w.t.Errorf("%s: %q cannot stand in a challenge", name, text)
	}
	for _, param := range []string{"realm=", "error=", "error_description=", "scope="} { // Standard_R10
		if strings.Count(a.header.Get("WWW-Authenticate"), param) > 1 {
			w.t.Errorf("%s: %q twice in %q", name, param, a.header.Get("WWW-Authenticate"))
		}
	}
	scheme := "Bearer" // A client authenticates by Basic.
	if a.text("error") == "invalid_client" {
		scheme = "Basic"
	}
	if a.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), scheme+` realm="doorward"`) {
		w.t.Errorf("%s: 401 with the challenge %q", name, a.header.Get("WWW-Authenticate"))
	}
	if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
		w.t.Errorf("%s: 405 without Allow", name)
	}
	if (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) && a.header.Get("Retry-After") == "" {
		w.t.Errorf("%s: %d without Retry-After", name, a.status)
	}
	for _, secret := range w.known() {
		if bytes.Contains(a.body, []byte(secret)) {
			w.t.Errorf("%s: a refusal repeats a secret: %s", name, a.body)
		}
	}
}

// want fails the test unless the answer has the status and, of a refusal, the code.
func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status || code != a.text("error") {
		t.Fatalf("got %d %q, want %d %q: %s", a.status, a.text("error"), status, code, a.body)
	}
	return a
}

// login logs in and returns the answer.
func (w *world) login(name, word string, more ...map[string]any) answer {
	w.t.Helper()
	body := map[string]any{"username": name, "password": word}
	for _, m := range more {
		maps.Copy(body, m)
	}
	return w.do("POST", "/login", body).want(w.t, 200, "")
}

// session makes a session without a password, for what a login cannot ask.
func (w *world) session(subject string, req issuer.LoginRequest) issuer.TokenSet {
	w.t.Helper()
	attempt, err := w.issuer.Begin(w.t.Context(), subject)
	must(w.t, err)
	set, err := w.issuer.Login(w.t.Context(), attempt, req)
	must(w.t, err)
	w.secret(set.AccessToken, set.RefreshToken)
	return set
}

// claims verifies a token for this server and returns what it says.
func (w *world) claims(token, audience string) *doorward.Claims {
	w.t.Helper()
	v, err := doorward.NewVerifier(doorward.Config{
		Issuer: w.issuer.URL(), Audience: audience, Keys: w.issuer.Keys(), Revocations: w.issuer.Revocations(),
	})
	must(w.t, err)
	claims, err := v.Verify(w.t.Context(), token)
	must(w.t, err)
	return claims
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sortLetters is a text without its order, for comparing headers from a map.
func sortLetters(text string) string {
	letters := strings.Split(text, "")
	slices.Sort(letters)
	return strings.Join(letters, "")
}
