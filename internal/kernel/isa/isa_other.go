//go:build !amd64

package isa

func available() []Set { return []Set{Go} }
