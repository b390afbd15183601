package cli

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"shadowflow/serve"
)

func newServe() *cobra.Command {
	var listen, tokenFile string
	cmd := &cobra.Command{
		Use:   "serve [DIR]",
		Short: "Show runs and sweeps in a browser, while they go on and after",
		Long: `Show the runs and sweeps below a directory (default: runs, where there is one, else this one) in a browser, at the address that is printed: their figures while
rows come, several runs beside one another, the measurements of a sweep against what it varies. Its page explore/ is to play with: an optimizer on a loss of
two parameters, its equations beside it, and where the bias that is predicted would penalize the gradient's norm or hinder its fall.

Only reading: nothing is written there, and no run is locked or waits. Runs and sweeps that work below the directory say at which address they are seen.
The page needs nothing from elsewhere. Whoever wants to see it needs the token in the address, which is another at each start; with --token-file it is the
first line of a file. --listen with an address that other machines reach wants that file. Ctrl-C ends it.`,
		Example: "  shadowflow serve\n  shadowflow serve results --listen 127.0.0.1:0",
		Args:    cobra.MaximumNArgs(1),

		ValidArgsFunction: completeDirs,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if info, err := os.Stat("runs"); err == nil && info.IsDir() {
				dir = "runs"
			}
			if len(args) > 0 {
				dir = args[0]
			}
			host, _, err := net.SplitHostPort(listen)
			if err != nil {
				return misuse("--listen %q: %w; want HOST:PORT, as 127.0.0.1:8077", listen, err)
			}
			token := serve.NewToken()
			switch {
			case tokenFile != "":
				if token, err = serve.ReadToken(tokenFile); err != nil {
					return misuse("--token-file: %w", err)
				}
			case !serve.Local(host):
				return misuse("--listen %s: other machines reach it, so want --token-file FILE too, whose first line is the token that they need", listen)
			}
			on, hosts, err := serve.Listen(cmd.Context(), listen)
			if err != nil {
				return fmt.Errorf("--listen %w", err)
			}
			server, err := serve.New(dir, token, hosts)
			if err != nil {
				return errors.Join(err, on.Close())
			}
			address := url.URL{Scheme: "http", Host: on.Addr().String(), Path: "/"}
			if withdraw, err := server.Announce(address.String()); err == nil { // else a run does not say where it is seen, and no more
				defer withdraw()
			}
			address.RawQuery = url.Values{"token": {token}}.Encode()
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", &address)
			if !serve.Local(host) {
				fmt.Fprintln(cmd.ErrOrStderr(), "shadowflow: what is sent can be read on the way: put it behind a proxy with TLS, or reach it by ssh -L")
			}
			return server.Serve(cmd.Context(), on)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8077", "address HOST:PORT; port 0 takes one that is free")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file whose first line is the token")
	return cmd
}
