//go:build !unix

package main

// privateFiles does nothing: files inherit the access rules of their folder here.
func privateFiles() {}

// ownerOf takes every folder for ours: ownership is not what guards it here.
func ownerOf(string) (name string, mine bool, err error) { return "", true, nil }
