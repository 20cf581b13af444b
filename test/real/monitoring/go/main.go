// Reads a Grafana dashboard from standard input as Grafana's own types do, strictly: an unknown field, a value of another type or a constraint
// that does not hold is told, and the program ends with 1.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The types answer with a list of errors, also with an empty one.
func check(err error) {
	var all cog.BuildErrors
	if err == nil || (errors.As(err, &all) && len(all) == 0) {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	plugins.RegisterDefaultPlugins()
	text, err := io.ReadAll(os.Stdin)
	check(err)
	// Strictly for what is unknown or of another type; what is read so lacks panels whose list of errors was empty.
	var strict dashboard.Dashboard
	check(strict.UnmarshalJSONStrict(text))
	var read dashboard.Dashboard
	check(json.Unmarshal(text, &read))
	check(read.Validate())
	panels, rows, queries := 0, 0, 0
	for _, one := range read.Panels {
		switch {
		case one.Panel != nil:
			panels++
			queries += len(one.Panel.Targets)
		case one.RowPanel != nil:
			rows++
		}
	}
	fmt.Printf("%d panels, %d rows, %d queries\n", panels, rows, queries)
}
