package password

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// ErrBreachedFile says that a file is not one of sorted SHA-1 digests.
var ErrBreachedFile = errors.New("password: not a sorted file of SHA-1 digests")

const (
	digestText    = 2 * sha1.Size // characters
	breachedLine  = 64            // bytes of the longest line, with its end
	breachedBlock = 4096          // bytes that are searched line by line
	// breachedSamples is at how many places a file is looked at when it is opened.
	breachedSamples = 4096
)

// Breached is a file of the passwords of breaches, in the form of Have I Been
// Pwned's download ordered by hash: on each line the SHA-1 of a password in
// hexadecimal, and perhaps a colon and a count. The lines may differ in length and
// end in LF or CR LF.
//
// The file is searched where it is; some kilobytes of it are read for each
// password, whatever its size. It is safe for concurrent use.
type Breached struct {
	file *os.File
	size int64
}

// OpenBreached opens a file of breached passwords. It checks in 4,096 places that there
// are digests and that they are in order, and returns ErrBreachedFile if they are not. To
// replace the file, write another one, rename it to path and call OpenBreached again.
func OpenBreached(path string) (*Breached, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("password: open the file of breached passwords: %w", err)
	}
	b := &Breached{file: file}
	if err := b.check(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return b, nil
}

// Contains reports whether a password is in the file, as it came or in NFC. The error is
// that of reading the file.
func (b *Breached) Contains(password string) (bool, error) {
	known, err := b.find(password)
	if nfc := norm.NFC.String(password); err == nil && !known && nfc != password {
		known, err = b.find(nfc)
	}
	if err != nil {
		return false, fmt.Errorf("password: look for breached passwords: %w", err)
	}
	return known, nil
}

// Close closes the file.
func (b *Breached) Close() error { return b.file.Close() }

func (b *Breached) find(password string) (bool, error) {
	sum := sha1.Sum([]byte(password))
	want := strings.ToUpper(hex.EncodeToString(sum[:]))
	// The line of want begins in [low, high), if there is one. low begins a line.
	low, high := int64(0), b.size
	for high-low > breachedBlock {
		middle := low + (high-low)/2
		got, at, err := b.lineAfter(middle)
		switch {
		case err != nil:
			return false, err
		case got == want:
			return true, nil
		case got == "" || at >= high || got > want:
			high = middle + 1 // where a line may begin
		default:
			low = at
		}
	}
	return b.scan(low, high, want)
}

// scan looks at each line that begins in [low, high); low begins a line.
func (b *Breached) scan(low, high int64, want string) (bool, error) {
	block := make([]byte, high-low+breachedLine)
	n, err := b.file.ReadAt(block, low)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if n == 0 {
		return false, io.ErrUnexpectedEOF
	}
	for line := range bytes.Lines(block[:n]) {
		if len(line) >= digestText && strings.ToUpper(string(line[:digestText])) == want {
			return true, nil
		}
	}
	return false, nil
}

// lineAfter returns the digest of the first line that begins after a place, and where
// that line begins. The digest is "" if there is no such line.
func (b *Breached) lineAfter(place int64) (digest string, at int64, err error) {
	var block [2 * breachedLine]byte
	n, err := b.file.ReadAt(block[:], place)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	end := bytes.IndexByte(block[:n], '\n')
	if end < 0 && n >= breachedLine || n == 0 {
		return "", 0, fmt.Errorf("%w: a line of more than %d bytes, or none", ErrBreachedFile, breachedLine)
	}
	if end < 0 || end+1 == n {
		return "", place + int64(n), nil
	}
	digest, err = digestOfLine(block[end+1 : n])
	return digest, place + int64(end) + 1, err
}

// check looks at the first line, the last, and some between.
func (b *Breached) check() error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return fmt.Errorf("%w: not a file, or an empty one", ErrBreachedFile)
	}
	b.size = info.Size()
	var first [breachedLine]byte
	n, err := b.file.ReadAt(first[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	last, err := digestOfLine(first[:n])
	if err != nil {
		return err
	}
	step := max(1, b.size/breachedSamples)
	for place := int64(0); place < b.size; place += step {
		got, _, err := b.lineAfter(place)
		if err != nil {
			return err
		}
		if got == "" {
			break
		}
		if got < last {
			return fmt.Errorf("%w: near byte %d a smaller digest comes after a greater one", ErrBreachedFile, place)
		}
		last = got
	}
	return nil
}

// digestOfLine reads the digest that a line begins with, in capitals.
func digestOfLine(line []byte) (string, error) {
	line, _, _ = bytes.Cut(line, []byte("\n"))
	digest, _, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(":"))
	if _, err := hex.DecodeString(string(digest)); err != nil || len(digest) != digestText {
		return "", fmt.Errorf("%w: a line that does not begin with %d hexadecimal digits", ErrBreachedFile, digestText)
	}
	return strings.ToUpper(string(digest)), nil
}
