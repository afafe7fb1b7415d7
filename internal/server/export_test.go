package server

import "net"

// Routes is every route of s as "METHOD path".
func Routes(s *Server) []string {
	var list []string
	for _, rt := range s.routes() {
		list = append(list, rt.Method+" "+s.pattern(rt))
	}
	return list
}

// Limited is conn as a listener of this package returns it.
func Limited(conn net.Conn) net.Conn {
	limited, _ := newConnLimit(nil, 1, nil, true).admit(conn)
	return limited
}
