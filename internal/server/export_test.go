package server

// Routes is every route of s as "METHOD path".
func Routes(s *Server) []string {
	var list []string
	for _, rt := range s.routes() {
		list = append(list, rt.Method+" "+s.pattern(rt))
	}
	return list
}
