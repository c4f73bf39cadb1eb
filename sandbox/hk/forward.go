package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

// forward accepts on a listening socket that it inherits and connects each connection to an address it dials itself.
//
// A socket stays in the network namespace it was made in: the listener comes from the machine's, the dialled
// connections are in the sandbox's. That brings the API server to the machine's loopback with nothing left outside.
func forward(args []string) error {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	fd := flags.Uint("fd", 3, "number of the inherited listening socket")
	dial := flags.String("dial", "", "host:port to connect to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	file := os.NewFile(uintptr(*fd), "listener")
	if file == nil {
		return fmt.Errorf("no file descriptor %d", *fd)
	}
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("file descriptor %d is not a listening socket: %w", *fd, err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go connect(client.(*net.TCPConn), *dial)
	}
}

// connect copies in both directions until both have ended; an end of stream passes on as a half-close.
func connect(client *net.TCPConn, address string) {
	defer client.Close()
	dialled, err := net.Dial("tcp", address)
	if err != nil {
		log.Printf("dropped a connection: %v", err)
		return
	}
	server := dialled.(*net.TCPConn)
	defer server.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		copyHalf(server, client)
	}()
	copyHalf(client, server)
	<-sent
}

// copyHalf ends quietly when either side goes away: a broken connection is the peers' business.
func copyHalf(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}
