package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scraped is what one look at /metrics has read: values by name and labels, and the kind and labels of each name.
type scraped struct {
	values map[string]float64
	kinds  map[string]string // such as "counter result"
}

func serveMetrics(t *testing.T, args ...string) (s *process, secret, url string) {
	t.Helper()
	dir := t.TempDir() + "/data"
	s = serve(t, dir, append([]string{"--metrics", "127.0.0.1:0"}, args...)...)
	for line := range strings.Lines(s.logs.text()) {
		var record struct{ Msg, URL string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "metrics" {
			url = record.URL
		}
	}
	password, err := os.ReadFile(dir + "/admin-password")
	if err != nil || url == "" {
		t.Fatalf("metrics at %q, %v", url, err)
	}
	return s, strings.TrimSpace(string(password)), url
}

func scrape(t *testing.T, url string) scraped {
	t.Helper()
	got := must(t, http.StatusOK, http.MethodGet, url, "", "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(got.body))
	if err != nil {
		t.Fatalf("%v\n%s", err, got.body)
	}
	all := scraped{map[string]float64{}, map[string]string{}}
	for name, f := range families {
		for _, m := range f.Metric {
			key, kind := name, strings.ToLower(f.GetType().String())
			for _, l := range m.Label { // sorted by name
				key += " " + l.GetName() + "=" + l.GetValue()
				kind += " " + l.GetName()
			}
			all.values[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			all.kinds[name] = kind
		}
	}
	return all
}

// Each request moves the counts that are about it by exactly one, and no other.
func TestMetricsCount(t *testing.T) {
	t.Parallel()
	s, secret, url := serveMetrics(t)
	login := must(t, 200, "POST", s.url+"/login", "", credentials("admin", secret))
	access, refresh := login.member("access_token"), login.member("refresh_token")
	for _, tt := range []struct {
		name                      string
		status                    int
		method, path, token, body string
		want                      []string // that move by one
	}{
		{"login", 200, "POST", "/login", "", credentials("admin", secret), []string{
			"requests_total method=POST route=/login status=200", "request_duration_seconds route=/login", "logins_total result=ok", "password_hashes_total",
		}},
		{"wrong password", 401, "POST", "/login", "", credentials("admin", "x"), []string{
			"requests_total method=POST route=/login status=401", "request_duration_seconds route=/login",
			"logins_total result=invalid_credentials", "password_hashes_total",
		}},
		{"refresh", 200, "POST", "/refresh", "", `{"refresh_token":"` + refresh + `"}`, []string{
			"requests_total method=POST route=/refresh status=200", "request_duration_seconds route=/refresh", "refreshes_total result=ok",
		}},
		{"bad refresh token", 400, "POST", "/refresh", "", `{"refresh_token":"dwr_x"}`, []string{
			"requests_total method=POST route=/refresh status=400", "request_duration_seconds route=/refresh", "refreshes_total result=invalid_grant",
		}},
		{"token", 200, "GET", "/protected", access, "", []string{
			"requests_total method=GET route=/protected status=200", "request_duration_seconds route=/protected", "verifications_total cached=false result=ok",
		}},
		{"token again", 200, "GET", "/me", access, "", []string{
			"requests_total method=GET route=/me status=200", "request_duration_seconds route=/me", "verifications_total cached=true result=ok",
		}},
		{"no token", 401, "GET", "/protected", "", "", []string{
			"requests_total method=GET route=/protected status=401", "request_duration_seconds route=/protected", "verifications_total cached=false result=no_token",
		}},
		{"logout", 204, "POST", "/logout", access, "", []string{
			"requests_total method=POST route=/logout status=204", "request_duration_seconds route=/logout",
		}},
		{"refresh after logout", 400, "POST", "/refresh", "", `{"refresh_token":"` + refresh + `"}`, []string{
			"requests_total method=POST route=/refresh status=400", "request_duration_seconds route=/refresh", "refreshes_total result=logout",
		}},
		{"session of a name", 404, "GET", "/sessions/0190-nobody/x", access, "", []string{
			"requests_total method=GET route=none status=404", "request_duration_seconds route=none",
		}},
		{"made-up method", 501, "BREW", "/login", "", "", []string{
			"requests_total method=other route=/login status=501", "request_duration_seconds route=/login",
		}},
	} {
		before := scrape(t, url)
		must(t, tt.status, tt.method, s.url+tt.path, tt.token, tt.body)
		want := map[string]float64{}
		for _, name := range tt.want {
			want[name] = 1
		}
		// A request is counted after its answer, which may be here before.
		if eventually(func() bool { return maps.Equal(moved(before, scrape(t, url)), want) }) != nil {
			t.Errorf("%s: moved %v, want %v", tt.name, moved(before, scrape(t, url)), want)
		}
	}
}

// While passwords are hashed there are threads for everything else, and afterwards no more than cores. The first burst is
// that of the start, which made a user; the second lasts for ten seconds at least.
func TestAttack_E03_HashesLeaveThreads(t *testing.T) {
	t.Parallel()
	s, secret, url := serveMetrics(t)
	threads := func() float64 { return scrape(t, url).values["go_sched_gomaxprocs_threads"] }
	cores := float64(runtime.GOMAXPROCS(0))
	if err := eventually(func() bool { return threads() == cores }); err != nil {
		t.Fatalf("%v threads for Go after the start, want %v: %v", threads(), cores, err)
	}
	must(t, 200, "POST", s.url+"/login", "", credentials("admin", secret))
	if got, want := threads(), cores+scrape(t, url).values["doorward_password_slots"]; got != want {
		t.Errorf("%v threads for Go after a login, want %v", got, want)
	}
}

// moved is what Doorward has counted between two scrapes.
func moved(before, after scraped) map[string]float64 {
	moved := map[string]float64{}
	for key, value := range after.values {
		name, isOurs := strings.CutPrefix(key, "doorward_")
		counts := !strings.HasPrefix(after.kinds[strings.Fields(key)[0]], "gauge") && !strings.Contains(name, "wait")
		if d := value - before.values[key]; isOurs && counts && d != 0 {
			moved[name] = d
		}
	}
	return moved
}

// What an upstream answers is one route, and a status of its own making one word.
func TestMetricsOfAnUpstream(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(298) }))
	defer upstream.Close()
	s, secret, url := serveMetrics(t, "--upstream", upstream.URL)
	access := must(t, 200, "POST", s.url+"/login", "", credentials("admin", secret)).member("access_token")
	before := scrape(t, url)
	must(t, 298, "GET", s.url+"/orders/17", access, "")
	for _, key := range []string{
		"doorward_requests_total method=GET route=upstream status=other",
		"doorward_request_duration_seconds route=upstream",
		"doorward_verifications_total cached=false result=ok",
	} {
		// A request is counted after its answer, which may be here before.
		moved := func() float64 { return scrape(t, url).values[key] - before.values[key] }
		if eventually(func() bool { return moved() == 1 }) != nil {
			t.Errorf("%s moved by %v, want 1", key, moved())
		}
	}
}

// Attack_H03: What strangers send makes no new series, and no label holds any of it.
func TestMetricsStayBounded(t *testing.T) {
	t.Parallel()
	s, secret, url := serveMetrics(t)
	access := must(t, 200, "POST", s.url+"/login", "", credentials("admin", secret)).member("access_token")
	send := func(i int) {
		word := fmt.Sprintf("stranger-%d", i)
		for _, r := range [][4]string{
			{"GET", "/" + word, "", ""},
			{"X" + strings.ToUpper(word), "/login", "", ""},
			{"DELETE", "/sessions/" + word, access, ""},
			{"POST", "/refresh", "", `{"refresh_token":"dwr_` + word + `"}`},
			{"GET", "/me", word, ""},
		} {
			if _, err := call(r[0], s.url+r[1], r[2], r[3]); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(0)
	send(0)                               // what is seen again is another result
	for throttled := false; !throttled; { // and so is one too many
		got, err := call("POST", s.url+"/refresh", "", `{"refresh_token":"dwr_stranger"}`)
		if err != nil {
			t.Fatal(err)
		}
		throttled = got.status == http.StatusTooManyRequests
	}
	before := scrape(t, url)
	for i := range 1000 {
		send(i + 1)
	}
	after := scrape(t, url)
	if a, b := slices.Sorted(maps.Keys(before.values)), slices.Sorted(maps.Keys(after.values)); !slices.Equal(a, b) {
		t.Errorf("%d series became %d:\n%s\n%s", len(a), len(b), strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	for key := range after.values {
		if strings.Contains(strings.ToLower(key), "stranger") || strings.Contains(key, "=u_") || strings.Contains(key, "admin") {
			t.Errorf("a label holds what somebody sent: %s", key)
		}
	}
	const none = "doorward_requests_total method=GET route=none status=404"
	if after.values[none] != before.values[none]+1000 {
		t.Errorf("%s is %v, was %v", none, after.values[none], before.values[none])
	}
}

// The page names every metric with its kind and labels, and none that is not there.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	s, _, url := serveMetrics(t)
	must(t, 401, "GET", s.url+"/me", "", "")
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(doorward_\\w+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		labels := regexp.MustCompile(`\w+`).FindAllString(m[3], -1)
		slices.Sort(labels)
		want[m[1]] = strings.Join(append([]string{m[2]}, labels...), " ")
	}
	got := map[string]string{}
	runtime := 0
	for name, kind := range scrape(t, url).kinds {
		if !strings.HasPrefix(name, "doorward_") {
			runtime++
			continue
		}
		got[name] = kind
	}
	if !maps.Equal(got, want) || len(want) < 10 {
		t.Errorf("exposed: %v\ndocumented: %v", got, want)
	}
	if runtime < 20 {
		t.Errorf("only %d families of the runtime and the process", runtime)
	}
}

// The listener shows metrics and nothing else, the other one shows no metrics, and without the flag there is none.
func TestMetricsListener(t *testing.T) {
	t.Parallel()
	s, _, url := serveMetrics(t)
	base := strings.TrimSuffix(url, "/metrics")
	for _, path := range []string{"/", "/login", "/livez", "/metrics/", "/debug/pprof/"} {
		must(t, 404, "GET", base+path, "", "")
	}
	must(t, 405, "POST", url, "", "{}")
	must(t, 404, "GET", s.url+"/metrics", "", "")
	if got := s.logs.text(); strings.Count(got, `"msg":"metrics"`) != 1 {
		t.Errorf("log: %s", got)
	}
	off, _ := serveEmpty(t)
	if got := off.logs.text(); strings.Contains(got, `"msg":"metrics"`) {
		t.Errorf("metrics without --metrics: %s", got)
	}
	_, errs := command(t, 1, "", "serve", "--data", t.TempDir()+"/x", "--listen", "127.0.0.1:0", "--metrics", strings.TrimPrefix(base, "http://"))
	if !strings.Contains(errs, "--metrics 127.0.0.1:0") {
		t.Errorf("two on one address: %s", errs)
	}
}
