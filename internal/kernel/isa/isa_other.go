//go:build !amd64 && !arm64

package isa

func available() []Set { return []Set{Go} }
