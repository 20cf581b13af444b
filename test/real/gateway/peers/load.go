package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func quantile(sorted []float64, part float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*part))]
}

func print(figures map[string]any) error { return json.NewEncoder(os.Stdout).Encode(figures) }

// Connections of their own for each request, as of so many clients.
func manyConnections(count int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: count, DisableCompression: true}}
}

// POSTs that are all on their way at once. It prints a line when all are sent, and figures when all are answered: each answer's time counts
// from the line that its standard input gets when the target became ready.
func held(arguments []string) error {
	flags := flag.NewFlagSet("held", flag.ExitOnError)
	address := flags.String("url", "", "where to send")
	host := flags.String("host", "", "Host header")
	count := flags.Int("count", 10_000, "requests")
	size := flags.Int("bytes", 1024, "length of each body")
	dialing := flags.Int("dialing", 64, "connections that are made at one time")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	body := bytes.Repeat([]byte("x"), *size)
	client := manyConnections(*count)
	places := make(chan struct{}, *dialing)
	statuses := make([]int, *count)
	ends := make([]time.Time, *count)
	var sent, all sync.WaitGroup
	sent.Add(*count)
	for at := range *count {
		all.Go(func() {
			places <- struct{}{}
			var once sync.Once
			left := func() { once.Do(func() { <-places; sent.Done() }) }
			defer left()
			request, err := http.NewRequest(http.MethodPost, *address, &told{bytes: bytes.NewReader(body), atEnd: left})
			if err != nil {
				return
			}
			request.ContentLength = int64(len(body))
			request.Host = *host
			answer, err := client.Do(request)
			if err != nil {
				return
			}
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if err == nil {
				statuses[at] = answer.StatusCode
				ends[at] = time.Now()
			}
		})
	}
	sent.Wait()
	fmt.Println("sent")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	ready := time.Now()
	all.Wait()
	counts := map[string]int{}
	took := make([]float64, 0, *count)
	for at, status := range statuses {
		counts[strconv.Itoa(status)]++
		if status == http.StatusOK {
			took = append(took, max(0, float64(ends[at].Sub(ready))/1e6))
		}
	}
	sort.Float64s(took)
	return print(map[string]any{"statuses": counts, "p50Ms": quantile(took, 0.5), "lastMs": quantile(took, 1)})
}

// A body that says when it has been read.
type told struct {
	bytes *bytes.Reader
	atEnd func()
}

func (t *told) Read(into []byte) (int, error) {
	count, err := t.bytes.Read(into)
	if t.bytes.Len() == 0 {
		t.atEnd()
	}
	return count, err
}

// Streams of events at once; prints how long after its sending each event came.
func streams(arguments []string) error {
	flags := flag.NewFlagSet("streams", flag.ExitOnError)
	address := flags.String("url", "", "where events come from")
	host := flags.String("host", "", "Host header")
	count := flags.Int("count", 500, "streams")
	length := flags.Duration("for", 10*time.Second, "how long is measured, after all streams began")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client := manyConnections(*count)
	var began, all sync.WaitGroup
	began.Add(*count)
	var isMeasured, isOver atomic.Bool
	took := make([][]float64, *count)
	var broken atomic.Int64
	for at := range *count {
		all.Go(func() {
			var once sync.Once
			begin := func() { once.Do(began.Done) }
			defer begin()
			request, err := http.NewRequest(http.MethodGet, *address, nil)
			if err != nil {
				broken.Add(1)
				return
			}
			request.Host = *host
			answer, err := client.Do(request)
			if err != nil || answer.StatusCode != http.StatusOK {
				broken.Add(1)
				return
			}
			defer answer.Body.Close()
			lines := bufio.NewScanner(answer.Body)
			for lines.Scan() {
				text, isData := strings.CutPrefix(lines.Text(), "data: ")
				if !isData {
					continue
				}
				begin()
				sentNs, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					broken.Add(1)
					return
				}
				if isOver.Load() {
					return
				}
				if isMeasured.Load() {
					took[at] = append(took[at], float64(time.Now().UnixNano()-sentNs)/1e6)
				}
			}
			broken.Add(1)
		})
	}
	began.Wait()
	fmt.Println("began")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	isMeasured.Store(true)
	time.Sleep(*length)
	isOver.Store(true)
	all.Wait()
	var sorted []float64
	for _, one := range took {
		sorted = append(sorted, one...)
	}
	sort.Float64s(sorted)
	return print(map[string]any{
		"events": len(sorted), "broken": broken.Load(),
		"p50Ms": quantile(sorted, 0.5), "p99Ms": quantile(sorted, 0.99), "mostMs": quantile(sorted, 1),
	})
}

// Requests that come at even times, whether or not earlier ones are answered, over connections that are kept. Each one's time counts from
// when it was due.
func paced(arguments []string) error {
	flags := flag.NewFlagSet("paced", flag.ExitOnError)
	address := flags.String("url", "", "where to send")
	host := flags.String("host", "", "Host header")
	rate := flags.Float64("rate", 1_000, "requests a second")
	connections := flags.Int("connections", 64, "most requests at one time")
	length := flags.Duration("for", 5*time.Second, "how long")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client := manyConnections(*connections)
	due := make(chan time.Time, 1_000_000)
	took := make([][]float64, *connections)
	var broken atomic.Int64
	var all sync.WaitGroup
	for at := range *connections {
		all.Go(func() {
			for when := range due {
				request, err := http.NewRequest(http.MethodGet, *address, nil)
				if err != nil {
					broken.Add(1)
					continue
				}
				request.Host = *host
				answer, err := client.Do(request)
				if err != nil {
					broken.Add(1)
					continue
				}
				_, err = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if err != nil || answer.StatusCode != http.StatusOK {
					broken.Add(1)
					continue
				}
				took[at] = append(took[at], float64(time.Since(when).Nanoseconds())/1e6)
			}
		})
	}
	each := time.Duration(float64(time.Second) / *rate)
	begin := time.Now()
	for at := time.Duration(0); at < *length; at += each {
		when := begin.Add(at)
		if wait := time.Until(when); wait > 0 {
			time.Sleep(wait)
		}
		due <- when
	}
	close(due)
	all.Wait()
	var sorted []float64
	for _, one := range took {
		sorted = append(sorted, one...)
	}
	sort.Float64s(sorted)
	return print(map[string]any{
		"count": len(sorted), "broken": broken.Load(),
		"p50Ms": quantile(sorted, 0.5), "p99Ms": quantile(sorted, 0.99),
	})
}
