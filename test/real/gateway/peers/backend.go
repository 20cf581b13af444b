package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

func withRoute(request *http.Request, route *countedRoute) context.Context {
	return context.WithValue(request.Context(), routeOfRequest{}, route)
}

// What is behind a proxy: `/` answers a body of so many bytes, `/events` sends events that bear their time, and the other paths what
// proxies get wrong.
func backend(arguments []string) error {
	flags := flag.NewFlagSet("backend", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	size := flags.Int("bytes", 1024, "length of the body of /")
	most := flags.Float64("most", 0, "answers a second; 0: as many as it can")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	body := bytes.Repeat([]byte("x"), *size)
	length := strconv.Itoa(*size)
	turns := &pace{}
	if *most > 0 {
		turns.each = time.Duration(float64(time.Second) / *most)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		turns.wait()
		answer.Header().Set("Content-Type", "text/plain")
		answer.Header().Set("Content-Length", length)
		_, _ = answer.Write(body)
	})
	mux.HandleFunc("/events", events)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/trailers", func(answer http.ResponseWriter, request *http.Request) {
		answer.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(answer, request.Body)
		answer.Header().Set("X-Sum", "all of it")
	})
	mux.HandleFunc("/early-hints", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Link", "</style.css>; rel=preload; as=style")
		answer.WriteHeader(http.StatusEarlyHints)
		answer.Header().Del("Link")
		_, _ = io.WriteString(answer, "after hints")
	})
	mux.HandleFunc("/chunks", func(answer http.ResponseWriter, _ *http.Request) {
		for at := range 3 {
			fmt.Fprintf(answer, "chunk %d\n", at)
			_ = http.NewResponseController(answer).Flush()
		}
	})
	mux.HandleFunc("/slow", func(answer http.ResponseWriter, request *http.Request) {
		wait, err := time.ParseDuration(request.URL.Query().Get("for"))
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(wait):
			_, _ = io.WriteString(answer, "late")
		case <-request.Context().Done():
		}
	})
	return serve(*listen, mux)
}

// The request as the server read it.
func echo(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, 1<<20))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(answer).Encode(map[string]any{
		"method": request.Method, "target": request.RequestURI, "protocol": request.Proto, "host": request.Host,
		"headers": request.Header, "trailers": request.Trailer, "length": request.ContentLength,
		"encoding": request.TransferEncoding, "body": body,
	})
}

// `?rate=` events a second until the client leaves; each bears the time of its sending in nanoseconds.
func events(answer http.ResponseWriter, request *http.Request) {
	rate, err := strconv.ParseFloat(request.URL.Query().Get("rate"), 64)
	if err != nil || rate <= 0 {
		http.Error(answer, "rate: events a second", http.StatusBadRequest)
		return
	}
	answer.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(answer)
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for {
		if _, err := fmt.Fprintf(answer, "data: %d\n\n", time.Now().UnixNano()); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-request.Context().Done():
			return
		}
	}
}

// Lets one go on after the other, at even times.
type pace struct {
	each time.Duration
	lock sync.Mutex
	next time.Time
}

func (p *pace) wait() {
	if p.each == 0 {
		return
	}
	p.lock.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	due := p.next
	p.next = due.Add(p.each)
	p.lock.Unlock()
	time.Sleep(time.Until(due))
}
