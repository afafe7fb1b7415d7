package gate

import (
	"slices"
	"strings"
)

// alwaysDropped are headers that are dropped whatever the rules: some servers take from
// them another path, method or address than was decided on, or another client.
var alwaysDropped = []string{
	"Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Client-Ip",
	"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Host", "X-Rewrite-Url",
	"Http2-Settings", "Proxy-Authorization", "Proxy-Connection",
}

// mountHeaders are headers by which servers of Python and their middleware take the beginning off the path, as gunicorn, daphne
// and the ReverseProxied of many Flask apps do: /open/admin becomes /admin after it was decided on. They have no other use.
var mountHeaders = []string{"Script-Name", "Path-Info", "X-Script-Name", "Daphne-Root-Path"}

// methodOverrides are headers by which some frameworks take another method than the request's.
var methodOverrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// structural are headers that HTTP itself needs, or that the gate writes in any case.
var structural = []string{
	"Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Te", "Trailer", "Upgrade",
	"Cookie", "Set-Cookie", "Expect", "Keep-Alive", "Authorization",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
}

// takenHeaders are headers in which browsers, proxies and HTTP itself say something of their own, and takenPrefixes begin
// the names of more. In one of them a token or a key would be taken for that, and that for a token.
var (
	takenHeaders = []string{
		"Accept", "Cache-Control", "Cookie2", "Date", "Dnt", "Early-Data", "From", "Last-Event-Id", "Link", "Max-Forwards", "Origin",
		"Pragma", "Prefer", "Priority", "Range", "Referer", "Save-Data", "Traceparent", "Tracestate", "Upgrade-Insecure-Requests",
		"User-Agent", "Via", "Warning", "X-Request-Id", "X-Requested-With",
		"X-Forwarded-By", "X-Forwarded-Client-Cert", "X-Forwarded-Method", "X-Forwarded-Path", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-Uri",
	}
	takenPrefixes = []string{"Accept-", "Access-Control-", "Content-", "Doorward-", "If-", "Proxy-", "Sec-"}
)

// isTaken reports whether something else than a token or a key stands in a header.
func (h header) isTaken() bool {
	name := foldName(h.name)
	return hasName(takenHeaders, name) || hasName(alwaysDropped, name) || hasName(mountHeaders, name) || hasName(methodOverrides, name) ||
		slices.ContainsFunc(takenPrefixes, func(prefix string) bool { return strings.HasPrefix(name, foldName(prefix)) })
}

// hasName reports whether a folded name is one of names.
func hasName(names []string, folded string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return foldName(name) == folded })
}

// maxName bounds the names that are compared, in bytes. No header that is dropped by its whole name has a longer one.
const maxName = 128

// grpcPrefix begins the names of headers from which grpc-gateway makes gRPC metadata without it: to the API
// Grpc-Metadata-Doorward-Subject is Doorward-Subject.
const grpcPrefix = "grpc-metadata-"

// foldName returns a name as the laxest servers compare it.
func foldName(name string) string { return string(appendFolded(nil, name)) }

func appendFolded(dst []byte, name string) []byte {
	for i := range len(name) {
		dst = append(dst, folds[name[i]])
	}
	return dst
}

// folds is foldByte as a table, since it is asked for each byte of each header's name.
var folds = func() (t [256]byte) {
	for i := range t {
		t[i] = foldByte(byte(i))
	}
	return t
}()

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= 0x80:
		return c
	}
	return '-'
}
