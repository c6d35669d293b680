// A static HTTP server as anybody writes it: the runtime reads /proc/sys/net/core/somaxconn before it listens.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

func main() {
	listener, err := net.Listen("tcp", ":"+os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	http.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	})
	http.HandleFunc("/self", func(w http.ResponseWriter, r *http.Request) {
		// Fifty clients of this same process, ten requests each.
		var all sync.WaitGroup
		failed := make(chan error, 1000)
		for i := 0; i < 50; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for n := 0; n < 10; n++ {
					answer, err := client.Get("http://localhost:" + os.Args[1] + "/sum")
					if err != nil {
						failed <- err
						return
					}
					io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
			}()
		}
		all.Wait()
		fmt.Fprintf(w, "%d failed", len(failed))
	})
	fmt.Println("listening")
	fmt.Println(http.Serve(listener, nil))
}
