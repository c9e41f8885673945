// Command etcd is etcd's own server main: go.etcd.io/etcd/server/v3 ships the
// entry point as a package, not as a program the module proxy could build.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
