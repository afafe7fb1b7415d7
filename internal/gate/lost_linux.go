package gate

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// giveUpAfter makes a connection fail when the other end acknowledges nothing for so long (TCP_USER_TIMEOUT of tcp(7)).
func giveUpAfter(conn net.Conn, lost time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // It is closed already.
	}
	_ = raw.Control(func(fd uintptr) { // A kernel that does not know it goes by its own time.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lost.Milliseconds()))
	})
}
