// Package server serves Doorward's own endpoints over HTTP: login, refresh,
// logout, sessions and what verifiers read.
//
// Each endpoint is one file: its route, its request, its handler, its answer.
// What all of them share wraps them from outside and cannot be forgotten:
// request id, log record, recovery from panics, security headers, CORS, limits,
// method, credentials. One function writes every refusal, in one shape:
//
//	{"error": "<stable code>", "error_description": "<for people>", "request_id": "…"}
//
// Nothing in an answer comes from Host or X-Forwarded-*: addresses that a
// client reads are made from the issuer's URL.
package server
