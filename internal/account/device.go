package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/doorward/doorward/issuer"
)

// MaxDevices is how many devices of one user are known at once.
const MaxDevices = 10

const devicePrefix = "dwd_"

var errNoDevices = errors.New("account: Config.Devices is required to remember devices")

// DeviceStore keeps the devices that have logged in, on the database of a [Store]. They
// go with their user, and with nothing else: a device opens nothing, it only is no stranger.
type DeviceStore interface {
	// KnownDevice reports whether the device with this digest belongs to the user with
	// this canonical name.
	KnownDevice(ctx context.Context, canonical string, digest [32]byte) (bool, error)

	// AddDevice adds a device of a user. Of those that they had before it keeps at most
	// keep-1: devices that came back before those that never did, and then those that
	// were used last. It returns ErrNotFound if there is no such user.
	AddDevice(ctx context.Context, id string, digest [32]byte, keep int, ev issuer.Event) error

	// UseDevice notes, to the day, that the device with this digest came back.
	UseDevice(ctx context.Context, digest [32]byte) error
}

// Device is where a login is tried from. The zero Device is one that is not known.
type Device struct {
	known  bool
	digest [32]byte
}

// Known reports whether the device has logged in before as the user whom it tries.
func (d Device) Known() bool { return d.known }

// Recognize returns the device whose secret [People.Remember] has made, for a login under
// a name. The device is not known if there is no such secret any more, or if it is that of
// another user's device.
func (p *People) Recognize(ctx context.Context, name, secret string) (Device, error) {
	if p.devices == nil || !isDeviceSecret(secret) {
		return Device{}, nil
	}
	_, canonical, err := parseExistingName(name)
	if err != nil {
		return Device{}, nil //nolint:nilerr // What is no name has no devices.
	}
	d := Device{digest: sha256.Sum256([]byte(secret))}
	d.known, err = p.devices.KnownDevice(ctx, canonical, d.digest)
	if err != nil {
		return Device{}, fmt.Errorf("look for the device: %w", err)
	}
	return d, nil
}

// Remember makes the device known that has just logged in as a user, and returns its
// secret, 256 random bits; the store has its digest. A user has [MaxDevices]. It returns
// ErrNotFound if there is no such user.
func (p *People) Remember(ctx context.Context, id string, ev issuer.Event) (string, error) {
	if p.devices == nil {
		return "", errNoDevices
	}
	var random [32]byte
	rand.Read(random[:])
	secret := devicePrefix + base64.RawURLEncoding.EncodeToString(random[:])
	ev.Kind, ev.Subject, ev.Reason = EventDeviceNew, id, ""
	if err := p.devices.AddDevice(ctx, id, sha256.Sum256([]byte(secret)), MaxDevices, ev); err != nil {
		return "", fmt.Errorf("remember the device: %w", err)
	}
	return secret, nil
}

// turnOf returns what a try to log in counts for: for the device if it is known, and else
// for the name.
func (p *People) turnOf(name string, from Device) turn {
	if from.known {
		return turn{key: sha256.Sum256(append([]byte("\x00device\x00"), from.digest[:]...)), hasher: p.reserved}
	}
	return turn{key: throttleKey(name), hasher: p.hasher}
}

func isDeviceSecret(text string) bool {
	return strings.HasPrefix(text, devicePrefix) && len(text) == len(devicePrefix)+base64.RawURLEncoding.EncodedLen(32)
}
