// Command loadgen sends the same GET over a number of keep-alive TLS connections for some time and prints one JSON object: how many
// were answered, how fast, and how many were not answered with 200. It uses the standard library only and does little per request, so
// that on a small machine it leaves the processor to what is measured.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

type headerList []string

func (h *headerList) String() string     { return strings.Join(*h, ", ") }
func (h *headerList) Set(v string) error { *h = append(*h, v); return nil }

type result struct {
	latencies []time.Duration
	failed    int
	firstText string
}

func main() {
	target := flag.String("url", "", "what to GET (https)")
	connections := flag.Int("connections", 1, "connections at the same time")
	duration := flag.Duration("duration", 5*time.Second, "how long")
	warmup := flag.Duration("warmup", time.Second, "how long before that without counting")
	caFile := flag.String("ca", "", "PEM of the server's authority")
	certFile := flag.String("cert", "", "PEM of the client certificate")
	keyFile := flag.String("key", "", "PEM of its key")
	var headers headerList
	flag.Var(&headers, "header", "Name: value; may be repeated")
	flag.Parse()
	if err := run(*target, *connections, *warmup, *duration, *caFile, *certFile, *keyFile, headers); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func run(target string, connections int, warmup, duration time.Duration, caFile, certFile, keyFile string, headers headerList) error {
	address, err := url.Parse(target)
	if err != nil {
		return err
	}
	config := &tls.Config{NextProtos: []string{"http/1.1"}, RootCAs: x509.NewCertPool()}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	config.RootCAs.AppendCertsFromPEM(pem)
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	var request strings.Builder
	fmt.Fprintf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nUser-Agent: loadgen\r\n", address.RequestURI(), address.Host)
	for _, header := range headers {
		request.WriteString(header + "\r\n")
	}
	request.WriteString("\r\n")
	bytes := []byte(request.String())

	conns := make([]*tls.Conn, connections)
	for i := range conns {
		if conns[i], err = tls.Dial("tcp", address.Host, config); err != nil {
			return err
		}
		defer conns[i].Close()
	}
	start := time.Now().Add(warmup)
	end := start.Add(duration)
	results := make([]result, connections)
	errs := make(chan error, connections)
	var group sync.WaitGroup
	for i := range conns {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := load(conns[i], bytes, start, end, &results[i]); err != nil {
				errs <- err
			}
		}()
	}
	group.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	return report(results, duration)
}

func load(conn *tls.Conn, request []byte, start, end time.Time, into *result) error {
	reader := bufio.NewReaderSize(conn, 16<<10)
	into.latencies = make([]time.Duration, 0, 1<<16)
	for {
		begin := time.Now()
		if begin.After(end) {
			return nil
		}
		if _, err := conn.Write(request); err != nil {
			return err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			if begin.After(start) {
				into.failed++
			}
			text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
			if into.firstText == "" {
				into.firstText = response.Status + " " + string(text)
			}
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if begin.After(start) {
			into.latencies = append(into.latencies, time.Since(begin))
		}
		if response.Close {
			return fmt.Errorf("the server closed a keep-alive connection after %s", response.Status)
		}
	}
}

func report(results []result, duration time.Duration) error {
	var all []time.Duration
	failed, text := 0, ""
	for _, one := range results {
		all = append(all, one.latencies...)
		failed += one.failed
		if one.firstText != "" {
			text = one.firstText
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("no request was answered: %s", text)
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	at := func(share float64) float64 {
		return float64(all[min(len(all)-1, int(share*float64(len(all))))]) / float64(time.Millisecond)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"requests": len(all), "failed": failed, "failure": text,
		"requestsPerSecond": float64(len(all)) / duration.Seconds(),
		"p50Ms":             at(0.50), "p99Ms": at(0.99),
	})
}
