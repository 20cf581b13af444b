// Clients of a Kubernetes API server as other people's controllers are: each scenario does a few things with one of the usual
// libraries, waits until it has seen what it did, and says so line by line. What it says does not depend on time or chance.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

var scenarios = map[string]func(context.Context, *rest.Config) error{
	"informers":          typedInformers,
	"dynamic-informers":  dynamicInformers,
	"metadata-informers": metadataInformers,
	"leader-election":    electLeader,
	"lead":               leadUntilKilled,
	"typed-writes":       writeTyped,
	"typed-kinds":        writeKinds,
	"manager":            runManager,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	names := slices.Collect(func(yield func(string) bool) {
		for name := range scenarios {
			if !yield(name) {
				return
			}
		}
	})
	slices.Sort(names)
	if len(args) != 1 || scenarios[args[0]] == nil {
		return fmt.Errorf("usage: clients %s", strings.Join(names, "|"))
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	// Nothing here is to be held back by a client's own bucket.
	config.QPS = -1
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return scenarios[args[0]](ctx, config)
}

// protobuf is a configuration of how controllers talk about built-in kinds.
func protobuf(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return config
}

// seen gets what handlers were told and lets a scenario wait for it.
type seen chan string

func (s seen) tell(what string, name string) { s <- what + " " + name }

// want waits until each of the lines was told, in whatever order, and prints them sorted.
func (s seen) want(ctx context.Context, lines ...string) error {
	missing := map[string]bool{}
	for _, line := range lines {
		missing[line] = true
	}
	for len(missing) > 0 {
		select {
		case line := <-s:
			if !missing[line] {
				return fmt.Errorf("told %q, waiting for %v", line, missing)
			}
			delete(missing, line)
		case <-ctx.Done():
			return fmt.Errorf("never told: %v", missing)
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	return nil
}
