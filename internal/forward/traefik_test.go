package forward_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/doorward/doorward/internal/proxytest"
)

// traefikFiles is what of examples/traefik decides who passes.
type traefikFiles struct {
	EntryPoints map[string]struct {
		HTTP struct {
			Alias string `yaml:"aliasHeadersStrategy"`
		}
	} `yaml:"entryPoints"`
	HTTP struct {
		Routers map[string]struct {
			Rule, Service string
			Priority      int
			Middlewares   []string
		}
		Middlewares map[string]traefikMiddleware
	}
}

type traefikMiddleware struct {
	ForwardAuth *struct {
		Address  string
		Trust    *bool    `yaml:"trustForwardHeader"`
		Location bool     `yaml:"preserveLocationHeader"`
		Response []string `yaml:"authResponseHeaders"`
		Request  []string `yaml:"authRequestHeaders"`
	} `yaml:"forwardAuth"`
	Headers struct {
		Request map[string]string `yaml:"customRequestHeaders"`
	}
}

func readTraefik(t *testing.T) traefikFiles {
	t.Helper()
	var files traefikFiles
	for _, name := range []string{"traefik.yml", "dynamic.yml"} {
		text, err := os.ReadFile(filepath.Join(proxytest.Examples(t), "traefik", name))
		must(t, err)
		must(t, yaml.Unmarshal(text, &files))
	}
	return files
}

// TestTraefikAsks reads examples/traefik, where no Traefik runs, for what a real one (v3.7.13) was seen to need.
func TestTraefikAsks(t *testing.T) {
	t.Parallel()
	files := readTraefik(t)
	if len(files.EntryPoints) == 0 {
		t.Error("no entry point")
	}
	for name, entry := range files.EntryPoints {
		if entry.HTTP.Alias != "delete" {
			t.Errorf("%s: Doorward_Subject passes", name)
		}
	}
	ask := files.HTTP.Middlewares["doorward"].ForwardAuth
	if ask == nil || !strings.HasSuffix(ask.Address, path+"traefik") || ask.Trust == nil || *ask.Trust {
		t.Fatalf("it asks as %+v", ask)
	}
	if len(ask.Request) > 0 {
		t.Errorf("Doorward sees only %v", ask.Request)
	}
	if !ask.Location {
		t.Error("Attack_D08 browsers are sent to login.page on Doorward's own address")
	}
	slices.Sort(ask.Response)
	if !slices.Equal(ask.Response, owned) {
		t.Errorf("of the answer it takes %v, want %v", ask.Response, owned)
	}
}

// Attack_C18: TestTraefikPasses is about headers that Traefik does not tell Doorward of, or that clients tell in its place.
// The API gets them as they stand before it asks.
func TestTraefikPasses(t *testing.T) {
	t.Parallel()
	files := readTraefik(t)
	// Traefik leaves Upgrade out of what it asks. Doorward knows a WebSocket by its key.
	rules := map[string]string{
		"PathPrefix(`/`)": "",
		"HeaderRegexp(`Upgrade`, `(?i)^websocket$`) && HeaderRegexp(`Sec-WebSocket-Key`, `.`)": "websocket",
	}
	priority := map[string]int{}
	for name, router := range files.HTTP.Routers {
		if router.Service != "api" {
			continue
		}
		upgrade, known := rules[router.Rule]
		if !known {
			t.Errorf("%s: nobody has looked at %s", name, router.Rule)
		}
		priority[upgrade] = router.Priority
		if last := len(router.Middlewares) - 1; last < 0 || router.Middlewares[last] != "doorward" {
			t.Fatalf("%s asks Doorward before the headers are right: %v", name, router.Middlewares)
		}
		set := map[string]string{}
		for _, middleware := range router.Middlewares {
			for header, value := range files.HTTP.Middlewares[middleware].Headers.Request {
				set[http.CanonicalHeaderKey(header)] = value
			}
		}
		if value, ok := set["Upgrade"]; !ok || value != upgrade {
			t.Errorf("%s: Upgrade is %q, want %q", name, value, upgrade)
		}
		for _, header := range []string{
			"Daphne-Root-Path", "Forwarded", "Path-Info", "Script-Name", "X-Forwarded-Method", "X-Forwarded-Path", "X-Forwarded-Uri",
			"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Original-Host", "X-Original-Method", "X-Original-Uri",
			"X-Original-Url", "X-Rewrite-Url", "X-Script-Name",
		} {
			if value, ok := set[header]; !ok || value != "" {
				t.Errorf("%s: %s of a client passes", name, header)
			}
		}
	}
	if len(priority) != len(rules) || priority["websocket"] <= priority[""] {
		t.Errorf("the routers of the API have priorities %v", priority)
	}
}
