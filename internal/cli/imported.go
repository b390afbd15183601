package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"shadowflow/experiment/run"
)

var errImportedUnused = misuse("optimizer.moments: of no use with --memory full, which eliminates the memory; want --memory state")

// imported says where the optimizer that optimizer.moments are of had other hyperparameters, and returns the number of steps behind them.
func imported(cmd *cobra.Command, p *run.Problem[float64]) int {
	if p.Moments == nil {
		return 0
	}
	for _, note := range p.Moments.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "shadowflow: optimizer.moments: %s\n", note)
	}
	return p.Moments.Steps
}
