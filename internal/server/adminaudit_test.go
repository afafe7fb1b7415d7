package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/audit"
	"github.com/doorward/doorward/internal/backup"
	"github.com/doorward/doorward/issuer"
)

const (
	verifying = "/admin/v1/audit/verify"
	exporting = "/admin/v1/audit/export"
)

// chainReader reads the audit record in the place of the store, which it may ask.
type chainReader func(ctx context.Context, after int64, store audit.Source) (audit.Page, error)

// audited is a store with another reader of its record, if there is one.
type audited struct {
	audit.Store

	chain chainReader
}

func (a audited) AuditChain(ctx context.Context, after int64) (audit.Page, error) {
	if a.chain == nil {
		return a.Store.AuditChain(ctx, after)
	}
	return a.chain(ctx, after, a.Store)
}

// seal seals what waits.
func (w *world) seal() {
	w.t.Helper()
	sealer, err := audit.NewSealer(audit.Config{Store: w.store, MasterKey: w.set.issuer.MasterKey})
	must(w.t, err)
	must(w.t, sealer.Seal(w.t.Context()))
}

// recordedOnce wants one event of that kind on record, with who asked and from where, and their request in the log.
func (w *world) recordedOnce(kind issuer.EventKind, actor string) {
	w.t.Helper()
	records, err := w.store.SearchAudit(w.t.Context(), audit.Query{Kinds: []issuer.EventKind{kind}})
	must(w.t, err)
	if len(records) != 1 || records[0].Actor != actor || records[0].Address != "127.0.0.1" || len(w.logs.about(records[0].RequestID)) == 0 {
		w.t.Errorf("recorded %+v", records)
	}
}

// asking sends a request that ends with ctx, and tells of its end.
func (w *world) asking(ctx context.Context, method, path string, changes ...with) <-chan error {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+w.address+path, nil)
	must(w.t, err)
	for _, change := range changes {
		change(r)
	}
	ended := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			err = response.Body.Close()
		}
		ended <- err
	}()
	return ended
}

// The record that is given out is the one that the command writes: it verifies without the store, against a head that was
// asked for before, and who took it is on record.
func TestAdminAuditExport(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	w.seal()
	head := w.do("GET", "/admin/v1/audit/head", nil, root).want(t, 200, "").text("head")
	kept, err := audit.ParseHead(head)
	must(t, err)
	must(t, w.store.Record(t.Context(), issuer.Event{Kind: "login", Reason: "a\x1b[31m\u202e\r\n"}))
	w.seal()
	var want bytes.Buffer
	must(t, audit.Export(t.Context(), w.store, &want))
	a := w.do("GET", exporting, nil, root).want(t, 200, "")
	if a.header.Get("Content-Type") != "application/jsonl" || string(a.body) != want.String() {
		t.Errorf("%s\n%s\nand the command writes\n%s", a.header, a.body, want.String())
	}
	source, err := audit.ReadExport(bytes.NewReader(a.body))
	must(t, err)
	report, err := audit.Verify(t.Context(), source, w.set.issuer.MasterKey, &kept, func(int64, int64) {})
	if err != nil || report.Blocks < 2 || report.Records < 4 {
		t.Errorf("%+v, %v", report, err)
	}
	if b := w.do("HEAD", exporting, nil, root); b.status != 200 {
		t.Errorf("HEAD: %d", b.status)
	}
	w.do("GET", exporting+"?head=true", nil, root).want(t, 400, "invalid_request")
	w.recordedOnce(audit.EventExport, id)
}

// What was done to the record is told with the first block that is broken.
func TestAdminAuditVerify(t *testing.T) {
	t.Parallel()
	var change func(*audit.Page)
	w, root, _ := adminWorld(t, func(s *settings) {
		s.chain = func(ctx context.Context, after int64, store audit.Source) (audit.Page, error) {
			page, err := store.AuditChain(ctx, after)
			change(&page)
			return page, err
		}
	})
	asked := time.Now().Add(-time.Minute)
	for range 3 {
		must(t, w.store.Record(t.Context(), issuer.Event{Kind: "login"}))
		w.seal()
	}
	must(t, w.store.Record(t.Context(), issuer.Event{Kind: "login"}))
	change = func(*audit.Page) {}
	head := w.do("GET", "/admin/v1/audit/head", nil, root).text("head")
	cut := func(p *audit.Page) { p.Blocks, p.Records, p.Last = nil, nil, audit.Head{} }
	for _, c := range []struct {
		name, query string
		change      func(*audit.Page)
		broken      any
		why         string
	}{
		{"as it was", "", func(*audit.Page) {}, nil, ""},
		{"as it was, with a head", "?head=" + head, func(*audit.Page) {}, nil, ""},
		{"a row was changed", "", func(p *audit.Page) {
			if len(p.Records) > 0 {
				p.Records[len(p.Records)-1].Reason = "else"
			}
		}, 3.0, "audit: a row was changed"},
		{"a row is gone", "", func(p *audit.Page) { p.Records = p.Records[min(1, len(p.Records)):] }, 1.0, "audit: a row is missing"},
		{"a block is gone", "", func(p *audit.Page) { p.Blocks = p.Blocks[min(1, len(p.Blocks)):] }, 1.0, "audit: the block is missing"},
		{"a key was changed", "", func(p *audit.Page) { p.Keys[0].Sealed = bytes.Repeat([]byte{1}, 60) }, nil, "audit: a key of the record does not open under the master key: somebody has changed it"},
		{"all is gone", "?head=" + head, cut, 1.0, audit.ErrTailCut.Error()},
		{"all is gone, without a head", "", cut, nil, ""},
		{"another history", "?head=" + strings.Replace(head, "dwah1.3.", "dwah1.2.", 1), func(*audit.Page) {}, 2.0, audit.ErrHistory.Error()},
	} {
		change = c.change
		a := w.do("GET", verifying+c.query, nil, root).want(t, 200, "")
		if a.object["verified"] != (c.why == "") || a.object["broken"] != c.broken || a.text("why") != c.why {
			t.Errorf("%s: %s", c.name, a.body)
		}
		if oldest := timeOf(t, a, "oldest_waiting"); a.object["waiting"] != 1.0 || oldest.Before(asked) {
			t.Errorf("%s: %s", c.name, a.body)
		}
	}
	for _, query := range []string{"?head=", "?head=dwah1.3.x", "?head=" + head + "&head=" + head, "?from=1", "?head=" + url.QueryEscape("dwah1.-1."+strings.Repeat("A", 43))} {
		w.do("GET", verifying+query, nil, root).want(t, 400, "invalid_request")
	}
	w.do("GET", "/admin/v1/audit/head?limit=1", nil, root).want(t, 400, "invalid_request")
}

// A record takes long to read: one request at a time does, and it stops when nobody waits for it.
func TestAdminAuditOneAtATime(t *testing.T) {
	t.Parallel()
	reading, ended := make(chan struct{}), make(chan struct{})
	var slow, busy atomic.Bool
	w, root, _ := adminWorld(t, func(s *settings) {
		s.direct = false
		s.chain = func(ctx context.Context, after int64, store audit.Source) (audit.Page, error) {
			if !slow.Load() || after != 0 {
				return store.AuditChain(ctx, after)
			}
			if !busy.CompareAndSwap(false, true) {
				return audit.Page{}, errors.New("two at a time")
			}
			reading <- struct{}{}
			<-ctx.Done()
			busy.Store(false)
			ended <- struct{}{}
			return audit.Page{}, ctx.Err()
		}
	})
	for _, path := range []string{verifying, exporting} {
		slow.Store(true)
		ctx, giveUp := context.WithCancel(t.Context())
		given := w.asking(ctx, "GET", path, root)
		<-reading
		if a := w.do("GET", path, nil, root); a.status != 503 || a.text("error") != "busy" {
			t.Errorf("%s, the second: %d %s", path, a.status, a.body)
		}
		w.do("GET", "/admin/v1/audit/head", nil, root).want(t, 200, "")
		giveUp()
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
		<-ended
		slow.Store(false)
		for deadline := time.Now().Add(10 * time.Second); ; {
			if a := w.do("GET", path, nil, root); a.status == 200 || time.Now().After(deadline) {
				a.want(t, 200, "")
				break
			}
		}
	}
}

// The key of the record is one of the keys: it is replaced, and never revoked.
func TestAdminAuditKey(t *testing.T) {
	t.Parallel()
	w, root, id := adminWorld(t)
	w.seal()
	made := w.do("POST", "/admin/v1/keys", map[string]any{"purpose": "audit"}, root).want(t, 201, "")
	at := "/admin/v1/keys/" + made.text("kid")
	if made.text("purpose") != "audit" || made.text("state") != "current" || made.header.Get("Location") != at {
		t.Errorf("made %s at %q", made.body, made.header.Get("Location"))
	}
	if got := w.do("GET", at, nil, root).want(t, 200, ""); string(got.body) != string(made.body) {
		t.Errorf("%s, made %s", got.body, made.body)
	}
	states := map[any]int{}
	for _, k := range w.do("GET", "/admin/v1/keys", nil, root).want(t, 200, "").object["keys"].([]any) {
		if k := k.(map[string]any); k["purpose"] == "audit" {
			states[k["state"]]++
		}
	}
	if states["current"] != 1 || states["verifying"] != 1 {
		t.Errorf("keys of the record: %v", states)
	}
	w.do("DELETE", at, nil, root).want(t, 409, "conflict")
	for _, purpose := range []string{"refresh", "Audit", "audit "} {
		w.do("POST", "/admin/v1/keys", map[string]any{"purpose": purpose}, root).want(t, 400, "invalid_request")
	}
	w.do("POST", "/admin/v1/keys", map[string]any{"purpose": "sign"}, root).want(t, 201, "")
	w.seal()
	if a := w.do("GET", verifying, nil, root); a.object["verified"] != true || !strings.Contains(string(w.do("GET", exporting, nil, root).body), `"key":"`+made.text("kid")) {
		t.Errorf("%s", a.body)
	}
	records, err := w.store.SearchAudit(t.Context(), audit.Query{Kinds: []issuer.EventKind{audit.EventKeyRotate}, Actor: id, Subject: made.text("kid")})
	must(t, err)
	if len(records) != 1 || records[0].RequestID == "" {
		t.Errorf("recorded %+v", records)
	}
}

var errTorn = errors.New("the database is gone")

// An export that breaks off is a refusal while nothing was sent, and then an answer that does not end: nobody takes it
// for a whole one.
func TestAdminAuditTorn(t *testing.T) {
	t.Parallel()
	var tear error
	pages := 0
	w, root, _ := adminWorld(t, func(s *settings) {
		s.direct = false
		s.chain = func(_ context.Context, after int64, _ audit.Source) (audit.Page, error) {
			if after >= int64(pages) {
				return audit.Page{}, tear
			}
			page := audit.Page{Last: audit.Head{Number: math.MaxInt32}, Blocks: []audit.Block{{Head: audit.Head{Number: after + 1}, Count: 100}}}
			for range 100 {
				page.Records = append(page.Records, audit.Record{Block: after + 1, Event: issuer.Event{Reason: strings.Repeat("x", 2000)}})
			}
			return page, nil
		}
	})
	tear = errTorn
	w.do("GET", exporting, nil, root).want(t, 500, "server_error")
	w.do("GET", verifying, nil, root).want(t, 500, "server_error")
	w.do("GET", "/admin/v1/audit/head", nil, root).want(t, 500, "server_error")
	tear = audit.ErrOvertaken
	w.do("GET", exporting, nil, root).want(t, 503, "unavailable")
	pages, tear = 4, errTorn
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.address+exporting, nil)
	must(t, err)
	root(r)
	response, err := http.DefaultClient.Do(r)
	must(t, err)
	body, err := io.ReadAll(response.Body)
	must(t, response.Body.Close())
	if response.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || bytes.Contains(body, []byte(`"type":"end"`)) {
		t.Errorf("%d with %d bytes, %v", response.StatusCode, len(body), err)
	}
	if !bytes.Contains(bytes.Join(w.logs.lines(), nil), []byte(errTorn.Error())) {
		t.Error("the log does not say why")
	}
}

// Who stops being an admin, or whose session ends, while they export gets no more of the record.
func TestAttack_F18_Export(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		end    func(w *world, root with, id string)
		status int
		code   string
	}{
		{"disabled", func(w *world, _ with, id string) {
			no := true
			_, _, err := w.people.Edit(w.t.Context(), id, account.UserEdit{Disabled: &no}, issuer.Event{Actor: "test"})
			must(w.t, err)
		}, 403, "insufficient_scope"},
		{"logged out", func(w *world, root with, _ string) { w.do("POST", "/logout", nil, root).want(w.t, 204, "") }, 401, "invalid_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var end func()
			pages := 0
			w, root, id := adminWorld(t, func(s *settings) {
				s.chain = func(ctx context.Context, after int64, store audit.Source) (audit.Page, error) {
					pages++
					page, err := store.AuditChain(ctx, after)
					end()
					return page, err
				}
			})
			w.addUser("second", goodWord, "admin")
			w.seal()
			end = func() { c.end(w, root, id) }
			w.do("GET", exporting, nil, root).want(t, c.status, c.code)
			if pages != 1 {
				t.Errorf("%d pages", pages)
			}
		})
	}
}

// pipes are connections in memory.
type pipes struct {
	net.Listener // panics for what is not here

	conns chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (pipes) Addr() net.Addr { return &net.UnixAddr{} }
func (pipes) Close() error   { return nil }

// What takes longer than the limits of all other answers is answered, and who does not take it is let go. It runs in a
// synctest bubble.
func TestAdminAuditLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, root, _ := adminWorld(t, func(s *settings) {
			s.issuer.MaxStaleness = time.Hour
			s.chain = func(ctx context.Context, after int64, store audit.Source) (audit.Page, error) {
				select { // Each page takes its time, all of them more than any limit.
				case <-ctx.Done():
					return audit.Page{}, ctx.Err()
				case <-time.After(10 * time.Second):
				}
				page, err := store.AuditChain(ctx, after)
				page.Records, page.Blocks = firstBlock(page)
				return page, err
			}
			s.exportHashes, s.server.RecentLogin = true, time.Hour
			s.credentials = func(ctx context.Context, q account.Query, store account.BulkStore) ([]account.Credential, error) {
				time.Sleep(12 * time.Second)
				q.Limit = 1
				return store.Credentials(ctx, q)
			}
			s.backups = backup.New(t.TempDir(), func(_ context.Context, path string) error {
				time.Sleep(45 * time.Second)
				return os.WriteFile(path, []byte("copy"), 0o600)
			})
		})
		for range 3 {
			must(t, w.store.Record(t.Context(), issuer.Event{Kind: "login", Reason: strings.Repeat("x", 5000)}))
			w.seal()
		}
		listener, served, client, second := w.inMemory()
		var serving sync.WaitGroup
		serving.Go(func() { _ = served.Serve(listener) })
		ask := func(client *http.Transport, method, path string) (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, nil)
			must(t, err)
			root(r)
			response, err := client.RoundTrip(r)
			must(t, err)
			text, err := io.ReadAll(response.Body)
			must(t, errors.Join(err, response.Body.Close()))
			return response.StatusCode, string(text)
		}
		for _, client := range []*http.Transport{client, second} {
			for call, want := range map[string]string{
				"GET " + verifying: `"head":"dwah1.3.`, "GET " + exporting: `"head":"dwah1.3.`, "GET " + exportingUsers: `{"type":"end","users":3}`, "POST " + backups: `"bytes":4,`,
			} {
				method, path, _ := strings.Cut(call, " ")
				if status, text := ask(client, method, path); status/100 != 2 || !strings.Contains(text, want) {
					t.Errorf("%s: %d %s", call, status, text)
				}
			}
		}
		here, there := net.Pipe()
		listener.conns <- there
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost"+exporting, nil)
		must(t, err)
		root(r)
		must(t, r.Write(here)) // and reads nothing
		time.Sleep(60 * time.Second)
		if status, text := ask(client, "GET", exporting); status != 503 || !strings.Contains(text, "busy") {
			t.Errorf("while it is not read: %d %s", status, text)
		}
		time.Sleep(20 * time.Second)
		if status, _ := ask(client, "GET", exporting); status != 200 {
			t.Errorf("after a reader who does not read: %d", status)
		}
		close(listener.conns)
		must(t, errors.Join(here.Close(), served.Close()))
		serving.Wait()
	})
}

// inMemory is a server that is reached without a network, with a client that speaks HTTP/1.1 and one that speaks HTTP/2.
func (w *world) inMemory() (pipes, *http.Server, *http.Transport, *http.Transport) {
	listener, served := pipes{conns: make(chan net.Conn, 1)}, w.server.HTTPServer()
	served.Protocols = new(http.Protocols)
	served.Protocols.SetHTTP1(true)
	served.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		listener.conns <- there
		return here, nil
	}}
	second := client.Clone()
	second.Protocols = new(http.Protocols)
	second.Protocols.SetUnencryptedHTTP2(true)
	return listener, served, client, second
}

// firstBlock is the first block of a page with its records.
func firstBlock(p audit.Page) ([]audit.Record, []audit.Block) {
	if len(p.Blocks) == 0 {
		return nil, nil
	}
	n := 0
	for n < len(p.Records) && p.Records[n].Block == p.Blocks[0].Number {
		n++
	}
	return p.Records[:n], p.Blocks[:1]
}
