package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// One route: where it leads, and how many of its requests are under way and came.
type countedRoute struct {
	target   *url.URL
	underWay atomic.Int64
	came     atomic.Int64
}

type routeOfRequest struct{}

// Buffers of bodies are used again, as every serious user of the standard proxy has it.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if known, ok := b.pool.Get().(*[]byte); ok {
		return *known
	}
	return make([]byte, 32*1024)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

// The standard library's proxy with what every proxy of this kind has to do besides: a table of hosts with wildcards, counts of each route,
// and forwarding headers that keep what an earlier proxy said.
func reverseProxy(arguments []string) error {
	flags := flag.NewFlagSet("reverse-proxy", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	target := flags.String("target", "", "URL that all routes lead to")
	count := flags.Int("routes", 1, "hosts route-N.test")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	to, err := url.Parse(*target)
	if err != nil {
		return err
	}
	routes := make(map[string]*countedRoute, *count)
	for at := range *count {
		routes["route-"+strconv.Itoa(at)+".test"] = &countedRoute{target: to}
	}
	dialer := &net.Dialer{Timeout: 500 * time.Millisecond, KeepAlive: 30 * time.Second}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			MaxIdleConns:          1_000,
			MaxIdleConnsPerHost:   200,
			IdleConnTimeout:       90 * time.Second,
			ResponseHeaderTimeout: 300 * time.Second,
		},
		BufferPool: &buffers{},
		Rewrite: func(request *httputil.ProxyRequest) {
			route := request.In.Context().Value(routeOfRequest{}).(*countedRoute)
			request.SetURL(route.target)
			request.Out.Host = request.In.Host
			before := request.In.Header
			request.Out.Header["X-Forwarded-For"] = before["X-Forwarded-For"]
			request.SetXForwarded()
			for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
				if said := before.Get(name); said != "" {
					request.Out.Header.Set(name, said)
				}
			}
		},
	}
	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		route := routeFor(routes, request.Host)
		if route == nil {
			http.Error(answer, http.StatusText(http.StatusNotFound), http.StatusNotFound)
			return
		}
		route.came.Add(1)
		route.underWay.Add(1)
		defer route.underWay.Add(-1)
		proxy.ServeHTTP(answer, request.WithContext(withRoute(request, route)))
	})
	return serve(*listen, handler)
}

// The exact host, then each wildcard above it.
func routeFor(routes map[string]*countedRoute, host string) *countedRoute {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	if route := routes[host]; route != nil {
		return route
	}
	for rest := host; ; {
		dot := strings.IndexByte(rest, '.')
		if dot < 0 {
			return routes["*"]
		}
		rest = rest[dot+1:]
		if route := routes["*."+rest]; route != nil {
			return route
		}
	}
}

// Serves HTTP/1.1 and HTTP/2 without TLS, and prints the port as its first line.
func serve(address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: handler, Protocols: &protocols, ReadHeaderTimeout: 60 * time.Second}
	return server.Serve(listener)
}
