package gate

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall lacks.
const tcpUserTimeout = 0x12

// giveUpAfter makes a connection fail when the other end acknowledges nothing for so long.
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
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(lost.Milliseconds()))
	})
}
