// Loads a Compose file as Docker Compose does, with its own loader, and prints what it says as JSON.
// Exit code 1: it is not valid; the message says where.
//
//	compose-config FILE [PROFILE…]
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: compose-config FILE [PROFILE…]")
	}
	options, err := cli.NewProjectOptions(args[:1],
		cli.WithWorkingDirectory(filepath.Dir(args[0])),
		cli.WithOsEnv,
		cli.WithProfiles(args[1:]),
		cli.WithInterpolation(true),
		cli.WithResolvedPaths(true),
		cli.WithConsistency(true),
		cli.WithNormalization(true),
	)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	return nil
}
