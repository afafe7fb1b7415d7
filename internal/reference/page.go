package reference

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
)

//go:embed page.html
var layout string

// page is what a browser gets.
type page struct {
	html   []byte
	policy string // its Content-Security-Policy: no script, and one style, by its digest
}

func render() (page, error) {
	doc, err := parse(File)
	if err != nil {
		return page{}, fmt.Errorf("read openapi.yaml: %w", err)
	}
	t, err := template.New("page").Funcs(template.FuncMap{"prose": prose}).Parse(layout)
	if err != nil {
		return page{}, fmt.Errorf("read page.html: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, doc.view()); err != nil {
		return page{}, fmt.Errorf("write the page: %w", err)
	}
	_, after, found := bytes.Cut(out.Bytes(), []byte("<style>"))
	style, _, closed := bytes.Cut(after, []byte("</style>"))
	if !found || !closed {
		return page{}, errors.New("the page has no style")
	}
	sum := sha256.Sum256(style)
	return page{out.Bytes(), "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}, nil
}
