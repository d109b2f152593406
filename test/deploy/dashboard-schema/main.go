// Reads dashboards by Grafana's own schema, strictly: a field that it does not know, or a value that it does not take, is an error.
//
//	dashboard-schema FILE…
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			os.Exit(1)
		}
	}
}

func check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var found dashboard.Dashboard
	err = found.UnmarshalJSONStrict(text)
	// It answers with an empty list of errors, which is not nil, when there is none.
	if none := (cog.BuildErrors{}); errors.As(err, &none) && len(none) == 0 {
		return nil
	}
	return err
}
