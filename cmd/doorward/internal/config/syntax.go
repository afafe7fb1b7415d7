package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/account"
	"github.com/doorward/doorward/internal/origin"
)

// isLoopback reports whether only this machine can reach the host part of an
// address. The empty host is every interface.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func isSomething(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("is empty")
	}
	if strings.ContainsRune(s, 0) {
		return errors.New("holds a NUL byte")
	}
	return nil
}

// isDatabase does not repeat the URL: it may hold a password.
func isDatabase(s string) error {
	if err := isSomething(s); err != nil {
		return err
	}
	if !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://") {
		return errors.New("want the URL of a PostgreSQL database, postgres://user@host:5432/name")
	}
	return nil
}

func isAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("want host:port, such as 127.0.0.1:8080")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("want a port between 0 and 65535")
	}
	return nil
}

func isIssuer(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("want an absolute URL, such as https://auth.example.com")
	}
	if err := origin.CheckPort(u); err != nil {
		return err
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		return errors.New("want a URL without user, query and fragment (RFC 8414 §2)")
	}
	// What is known of the issuer is served at an address that ends in this path (RFC 8414 §3.1).
	if strings.ContainsAny(u.Path, " {}") || strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix(path.Clean("/"+u.Path), "/") {
		return errors.New("want a URL whose path has no spaces, braces, dot segments and empty segments")
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return errors.New("want https; http is for loopback alone")
	}
	return nil
}

func isField(s string) error {
	for _, r := range s {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return errors.New("want letters, digits, - and _ alone")
		}
	}
	return nil
}

// isRole refuses what nobody can have as a role.
func isRole(s string) error {
	if !account.IsRole(s) {
		return errors.New("want roles as users have them: a-z 0-9 _ . : - alone, with a letter or digit at the front")
	}
	return nil
}

func isWord(s string) error {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return errors.New("want a name without spaces")
	}
	return nil
}

func isStale(s string) error {
	_, err := parseStale(s)
	return err
}

// parseStale reads refuse, as 0, and young:D.
func parseStale(s string) (time.Duration, error) {
	if s == "refuse" {
		return 0, nil
	}
	text, found := strings.CutPrefix(s, "young:")
	young, err := ParseDuration(strings.TrimSpace(text))
	if !found || err != nil || young <= 0 || young > 10*time.Minute {
		return 0, errors.New("want refuse, or young:30s with a time of at most 10m")
	}
	return young, nil
}

func isOneOf(words ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("want %s", orList(words))
		}
		return nil
	}
}

func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
