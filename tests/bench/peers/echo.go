// An echo server as Go writes it: a goroutine for each connection, read and write.
// With the files of a certificate and its key as arguments, on TLS. Prints "listening on PORT".
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"os"
)

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 32*1024) // as many as io.Copy takes
	for {
		count, err := connection.Read(buffer)
		if count > 0 {
			if _, err := connection.Write(buffer[:count]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if len(os.Args) == 3 {
		certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	fmt.Println("listening on", port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(connection)
	}
}
