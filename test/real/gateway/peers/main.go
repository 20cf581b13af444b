// Programs that the gateway is measured and checked against: a proxy of Go's standard library, servers behind proxies, clients before them.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

var programs = map[string]func(arguments []string) error{
	"reverse-proxy": reverseProxy,
	"backend":       backend,
	"held":          held,
	"streams":       streams,
	"paced":         paced,
	"grpc-server":   grpcServer,
	"grpc-client":   grpcClient,
}

func main() {
	names := make([]string, 0, len(programs))
	for name := range programs {
		names = append(names, name)
	}
	sort.Strings(names)
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: peers %s [flags]\n", strings.Join(names, "|"))
		os.Exit(2)
	}
	if err := programs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
