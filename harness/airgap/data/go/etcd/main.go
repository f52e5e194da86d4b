// Command etcd is the store behind the API server.
package main

import (
	"os"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

// renamed are options that kubeadm 1.33 still gives and etcd 3.7 knows under other names only.
var renamed = strings.NewReplacer(
	"--experimental-initial-corrupt-check=", "--feature-gates=InitialCorruptCheck=",
	"--experimental-watch-progress-notify-interval=", "--watch-progress-notify-interval=",
)

func main() {
	for index, argument := range os.Args {
		os.Args[index] = renamed.Replace(argument)
	}
	etcdmain.Main(os.Args)
}
