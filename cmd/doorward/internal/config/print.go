package config

import (
	"fmt"
	"io"
	"strings"
)

// redacted stands for a secret.
const redacted = "redacted"

// Secret is a text that is printed nowhere, not even as an unexported field. The zero
// Secret is empty.
type Secret struct{ text *string }

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{&text} }

// reveal returns the text.
func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format prints a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText gives encoders a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// YAML writes the effective configuration as a file that can be fed back. Each
// line says where its value came from.
func (c *Config) YAML() string {
	return c.write(func(s Setting) (bool, string) { return true, " # " + c.Origin(s.Key) })
}

// Serving writes the settings that commands beside a running server take from it.
func (c *Config) Serving() string {
	return "# Written by doorward serve; commands on this data folder read it.\n" +
		c.write(func(s Setting) (bool, string) { return s.Shared, "" })
}

// Text returns the value of a setting for people.
func (c *Config) Text(s Setting) string {
	val := s.bind(c).text()
	if s.secret && val != "" {
		return redacted
	}
	return val
}

// write writes the settings that want selects, each with its remark.
func (c *Config) write(want func(Setting) (ok bool, remark string)) string {
	var b strings.Builder
	group := ""
	for _, s := range settings {
		ok, remark := want(s)
		if !ok {
			continue
		}
		head, name, nested := strings.Cut(s.Key, ".")
		if _, taken := Find(head); !nested || taken { // A setting with a value has no settings inside.
			head, name, nested = "", s.Key, false
		}
		if s.bind(c).text() == "" {
			fmt.Fprintf(&b, "# %s is not set\n", s.Key)
			continue
		}
		if s.secret {
			fmt.Fprintf(&b, "# %s is set, and not shown%s\n", s.Key, remark)
			continue
		}
		if head != group && nested {
			fmt.Fprintf(&b, "%s:\n", head)
		}
		group = head
		indent := ""
		if nested {
			indent = "  "
		}
		fmt.Fprintf(&b, "%s%s: %s%s\n", indent, name, s.bind(c).yaml(), remark)
	}
	return b.String()
}
