package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	devlog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is a browser with a profile of its own.
type chromium struct {
	ctx context.Context

	mu       sync.Mutex // guards troubles
	troubles []string   // of all tabs: breaches of the page's policy, and exceptions
}

// startChromium starts the browser at path, for which each host is at its address
// and the certificate is good.
func startChromium(t *testing.T, path string, hosts map[string]string, cert *x509.Certificate) *chromium {
	t.Helper()
	var rules []string
	for host, addr := range hosts {
		rules = append(rules, "MAP "+host+" "+addr)
	}
	key := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ", ")),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])),
	)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &chromium{ctx: ctx}
	t.Cleanup(func() {
		for _, trouble := range b.troubles {
			t.Errorf("the page: %s", trouble)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *chromium) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *devlog.EventEntryAdded:
		if event.Entry.Source == devlog.EntrySourceSecurity || event.Entry.Source == devlog.EntrySourceJavascript {
			b.troubles = append(b.troubles, event.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, event.ExceptionDetails.Text)
	}
}

// tab is one tab. Each method fails the test that it is given.
type tab struct{ ctx context.Context }

// open opens a page in a new tab, which is closed when the test ends.
func (b *chromium) open(t *testing.T, url string) *tab {
	t.Helper()
	p := b.blank(t)
	p.do(t, chromedp.Navigate(url))
	return p
}

// blank is open without a page yet.
func (b *chromium) blank(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	return &tab{ctx}
}

func (p *tab) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// await waits until an expression is true.
func (p *tab) await(t *testing.T, expression string) {
	t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Poll[bool](expression,
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second)))
	if err != nil {
		t.Fatalf("%s: %v; the page reads:\n%s", expression, err, p.evaluate(t, "document.body.innerText"))
	}
}

// evaluate returns a text.
func (p *tab) evaluate(t *testing.T, expression string) string {
	t.Helper()
	got, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// reads waits until the element with an id is seen and has a text in it.
func (p *tab) reads(t *testing.T, id, text string) {
	t.Helper()
	p.await(t, fmt.Sprintf("document.getElementById(%q).checkVisibility() && document.getElementById(%[1]q).textContent.includes(%q)", id, text))
}

func (p *tab) click(t *testing.T, id string) {
	t.Helper()
	p.do(t, chromedp.Click(chromedp.CSS("#"+id)))
}

func (p *tab) clearCookies(t *testing.T) {
	t.Helper()
	if _, err := chromedp.Call(p.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
}
