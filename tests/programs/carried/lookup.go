// Looks a name up by Go's own resolver: lookup NAME.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	fmt.Println(net.LookupHost(os.Args[1]))
}
