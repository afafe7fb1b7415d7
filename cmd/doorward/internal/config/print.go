package config

import (
	"fmt"
	"strings"
)

// Redacted stands for a secret.
const Redacted = "redacted"

// YAML writes the effective configuration as a file that can be fed back. Each
// line says where its value came from.
func (c *Config) YAML() string {
	return c.write(func(s Setting) (bool, string) { return true, " # " + c.Origin(s.Key) })
}

// Serving writes the settings that commands beside a running server take from it.
func (c *Config) Serving() string {
	return "# Written by doorward serve at its start; commands on this data folder read it.\n" +
		c.write(func(s Setting) (bool, string) { return s.Shared, "" })
}

// Text returns the value of a setting for people.
func (c *Config) Text(s Setting) string {
	val := s.bind(c).text()
	if s.secret && val != "" {
		return Redacted
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
