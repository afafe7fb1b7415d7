//go:build !unix

package folder

// ownerOf takes every folder for ours: ownership is not what guards it here.
func ownerOf(string) (name string, mine bool, err error) { return "", true, nil }
