package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A guard lets through who has the token, says a host that is this server's, and comes from its own page. It allows reading alone, and forbids the page to load anything from elsewhere or to run what stands in it.
type guard struct {
	token string
	hosts []string
	next  http.Handler
}

// policy lets a page use files of this server, and nothing else. Drawings of the server may carry styles within them.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// tokenParameter is what the printed address carries, cookieName what the browser keeps of it.
const (
	tokenParameter = "token"
	cookieName     = "shadowflow"
)

// ServeHTTP implements http.Handler.
func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY",
	} {
		w.Header().Set(name, value)
	}
	switch {
	case len(g.hosts) > 0 && !slices.Contains(g.hosts, r.Host):
		http.Error(w, "This server is not "+r.Host+": use the address that it printed.", http.StatusForbidden)
	case foreign(r):
		http.Error(w, "A page of another server asked for this; only the page of this one may.", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "Nothing can be changed here: want GET.", http.StatusMethodNotAllowed)
	case g.same(r.URL.Query().Get(tokenParameter)):
		g.welcome(w, r)
	case g.known(r):
		g.next.ServeHTTP(w, r)
	default:
		http.Error(w, "The address lacks the token: use the one that `shadowflow serve` printed.", http.StatusUnauthorized)
	}
}

// foreign reports whether another page asks. A browser says so in one header or the other; whoever types an address, or follows a link, says nothing, or
// navigates.
func foreign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin != "http://"+r.Host && origin != "https://"+r.Host
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "same-origin" && site != "none" && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// welcome gives the browser a cookie in the place of the token, so that it does not stand in addresses that are copied.
func (g guard) welcome(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookieOf(r.Host), Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	query := r.URL.Query()
	query.Del(tokenParameter)
	to := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, "/"), RawQuery: query.Encode()} // no address of another server
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// cookieOf is the name of the cookie, by the port: browsers send cookies of a host to all its ports.
func cookieOf(host string) string {
	_, port, _ := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
	return cookieName + "_" + port
}

func (g guard) known(r *http.Request) bool {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return g.same(bearer)
	}
	cookie, err := r.Cookie(cookieOf(r.Host))
	return err == nil && g.same(cookie.Value)
}

// same compares a token with ours in a time that tells nothing of it.
func (g guard) same(token string) bool {
	a, b := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(g.token))
	return token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
