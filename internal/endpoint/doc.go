// Package endpoint is what the endpoints of Doorward's own HTTP servers have in common: what a route is, how a
// request's JSON is read, how an answer and a refusal are written.
//
// An endpoint is a [Route] whose [Handler] writes its answer or returns an error. The server
// that mounts it has checked the token that the route wants, and writes every
// refusal, in one shape:
//
//	{"error": "<stable code>", "error_description": "<for people>", "request_id": "…"}
package endpoint
