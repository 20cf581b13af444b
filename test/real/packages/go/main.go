// A registry in memory that lists what refers to a manifest, out of the library that many registries' clients are built of.
// Its address is its only argument.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Args[1], registry.New(registry.WithReferrersSupport(true), quiet)))
	os.Exit(1)
}
