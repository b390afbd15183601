package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"

	"shadowflow/internal/userfile"
)

// NewToken returns a token that nobody guesses, of 128 random bits or more.
func NewToken() string { return rand.Text() }

// shortestToken is the least length of a token from a file.
const shortestToken = 16

// ReadToken reads a token from a file: its first line.
func ReadToken(path string) (string, error) {
	const most = 1 << 10
	data, err := userfile.Read(path, most)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	token := strings.TrimSpace(line)
	if len(token) < shortestToken || len(data) > most || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`",;\`, r) }) {
		return "", fmt.Errorf("%s: its first line is no token; want %d or more letters and digits, as `openssl rand -hex 16` prints", path, shortestToken)
	}
	return token, nil
}

// Listen opens a port, and returns the hosts that a browser may name it by; nil stands for any. The address is HOST:PORT, a port of 0 any that is free.
func Listen(ctx context.Context, address string) (on net.Listener, hosts []string, err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, fmt.Errorf("%q: %w; want HOST:PORT, as 127.0.0.1:8077", address, err)
	}
	var config net.ListenConfig
	if on, err = config.Listen(ctx, "tcp", address); err != nil {
		return nil, nil, fmt.Errorf("%w; 127.0.0.1:0 takes a port that is free", err)
	}
	_, port, err := net.SplitHostPort(on.Addr().String())
	if err != nil {
		return nil, nil, errors.Join(err, on.Close())
	}
	names := []string{host}
	switch ip := net.ParseIP(host); {
	case Local(host):
		names = append(names, "localhost", "127.0.0.1", "::1")
	case host == "" || ip != nil && ip.IsUnspecified():
		return on, nil, nil
	}
	for _, name := range names {
		hosts = append(hosts, net.JoinHostPort(name, port))
		if port == "80" {
			hosts = append(hosts, name)
		}
	}
	return on, hosts, nil
}

// Local reports whether a host is this machine seen from itself.
func Local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
