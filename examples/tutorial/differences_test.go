package main

import (
	"regexp"
	"strings"
)

// difference is one reason why the example does not answer as recorded. A case has it if
// its name fits and one of the pairs is, to the letter, what was recorded and what is
// answered here; a * stands for the same text on both sides, or on the left for words of
// the libraries that nobody repeats.
type difference struct {
	what    string // the cases, in words
	cases   string // the same, as a regular expression over names ("flow/step" in flows)
	pairs   [][2]string
	because string // the sentence of the design or of a standard
	// kept is for answers that are recorded as a defect and given here too: the sentence says
	// why what is wrong about them is not in this answer.
	kept bool
}

// Answers that come up often.
const (
	badBody   = `400, "The body is not the JSON object that is wanted here"`
	noFields  = `400, "Missing username or password"`
	tooLarge  = `413, "The body is longer than 16 KiB"`
	malformed = `400, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'", Bearer invalid_request`
	twoTokens = `400, "More than one token", Bearer invalid_request`
	invalid   = `401, "Token is not valid", Bearer invalid_token`
	invalid2  = `401, "Token is invalid!", Bearer invalid_token`
	revoked   = `401, "Token has been revoked", Bearer invalid_token`
	secret    = `200, "This is a protected endpoint."`
	secret2   = `200, "This is a protected route!"`
	cookies   = `cookie __Host-access_token (Secure HttpOnly Strict) cookie __Host-dw_refresh (Secure HttpOnly Strict)`
	theirs    = `cookie access_token_cookie cookie csrf_access_token cookie csrf_refresh_token cookie refresh_token_cookie`
)

var differences = []difference{
	// Logging in.
	{
		what: "wrong password, unknown user", cases: `login_(wrong_password|unknown_user)`,
		pairs: [][2]string{
			{`401, "Bad username or password"`, `401, "Bad username or password", Bearer`},
			{`401, "Invalid credentials!"`, `401, "Invalid credentials!", Bearer`},
		},
		because: "RFC 9110 §15.5.2: a 401 carries WWW-Authenticate",
	},
	{
		what: "a body that is no JSON", cases: `login_(empty_body_json_type|malformed_json|single_quotes_json|trailing_comma_json|trailing_garbage_json|two_json_documents|invalid_utf8|latin1_charset|gzip_encoded_body|huge_integer_10k_digits|content_length_short)`,
		pairs:   [][2]string{{`400, HTML`, badBody}},
		because: "design §8: JSON in and out; errors have one shape everywhere",
	},
	{
		what: "another content type, second tutorial", cases: `login_(no_body_no_content_type|json_body_no_content_type|json_body_text_plain|form_body|multipart_body)`,
		pairs: [][2]string{
			{`400, HTML`, `415, "Missing JSON in request"`},
			{`415, HTML`, `415, "Missing JSON in request"`},
		},
		because: "RFC 9110 §15.5.16: 415 for content whose format is not supported; design §8: errors have one shape everywhere",
	},
	{
		what:    "JSON that is no object, or a member of another type, where the app crashed",
		cases:   `login_json_(null|array_empty|array_of_pair|number|string|true)|login_username_(array|object)|cors_500_json_null|login_hash_edge/(password_missing|password_number|json_null)`,
		pairs:   [][2]string{{`500, HTML`, badBody}, {`500, HTML`, noFields}, {`500, HTML, no CORS`, noFields + `, no CORS`}},
		because: "RFC 9110 §15.5.1, §15.6.1: the fault is the client's, so 400 and not 500",
	},
	{
		what:  "a member that is missing, empty, null, of another type or in another case",
		cases: `login_(empty_object|missing_password|missing_username|username_(null|number|bool|array|object)|password_(null|array|number)|both_empty_strings|field_names_wrong_case)|login_hash_edge/password_missing_unknown_user`,
		pairs: [][2]string{
			{`401, "Bad username or password"`, badBody},
			{`401, "Bad username or password"`, noFields},
			{`401, "Invalid credentials!"`, badBody},
			{`401, "Invalid credentials!"`, noFields},
		},
		because: "RFC 9110 §15.5.1: what is malformed is 400; 401 is for credentials",
	},
	{
		what: "NaN, Infinity", cases: `login_json_NaN_literal`,
		pairs:   [][2]string{{`401, "Bad username or password"`, badBody}, {`401, "Invalid credentials!"`, badBody}},
		because: "RFC 8259 §6: Infinity and NaN are not permitted",
	},
	{
		what: "half of a surrogate pair", cases: `login_lone_surrogate`,
		pairs:   [][2]string{{`401, "Bad username or password"`, badBody}, {`401, "Invalid credentials!"`, badBody}},
		because: "RFC 7493 §2.1: names and values do not hold unpaired surrogates; design §8: JSON in and out, UTF-8",
	},
	{
		what: "a member twice", cases: `login_duplicate_keys_last_wins`,
		pairs:   [][2]string{{`200, access_token`, badBody}, {`200, token`, badBody}},
		because: "design §8: duplicate members are refused (RFC 7493 §2.3)",
	},
	{
		what: "a BOM, UTF-16", cases: `login_(utf8_bom|utf16_body)`,
		pairs:   [][2]string{{`200, access_token`, badBody}, {`200, token`, badBody}},
		because: "RFC 8259 §8.1: between systems JSON is UTF-8, without a byte order mark",
	},
	{
		what: "a body of 100 kB to 8 MiB", cases: `login_(huge_username_1MiB|huge_body_8MiB|deep_nesting_100k)`,
		pairs: [][2]string{
			{`401, "Bad username or password"`, tooLarge}, {`401, "Invalid credentials!"`, tooLarge}, {`500, HTML`, tooLarge},
		},
		because: "design §8: body limit 16 KiB (RFC 9110 §15.5.14)",
	},

	// Paths and methods.
	{
		what: "no such path, no such method", cases: `.*`,
		pairs: [][2]string{
			{`404, HTML`, `404, "Not found"`},
			{`404, HTML, no CORS`, `404, "Not found", no CORS`},
			{`405, HTML, Allow *`, `405, "Method not allowed", Allow *`},
		},
		because: "design §8: errors have one shape everywhere",
	},
	{
		what: "GET / of the first tutorial", cases: `root|root_head|root_options|root_post`,
		pairs: [][2]string{
			{`404, HTML`, `200, "Log in at /login, then call /protected."`},
			{`404`, `200`},
			{`404, HTML`, `200, Allow GET HEAD OPTIONS`},
			{`404, HTML`, `405, "Method not allowed", Allow GET HEAD OPTIONS`},
		},
		because: "design §1: where it is silent, build what the users of this field expect; whoever opens the address reads what is here",
	},
	{
		what: "//login, //protected", cases: `(login|protected)_double_slash`,
		pairs:   [][2]string{{`200, *`, `404, "Not found"`}},
		because: "RFC 3986 §3.3: an empty segment is a segment, so this is another path, and rules for the one would not hold for the other",
	},
	{
		what: "the method get", cases: `protected_lower_case_method`,
		pairs:   [][2]string{{`200, *`, `405, "Method not allowed", Allow GET HEAD OPTIONS`}},
		because: "RFC 9110 §9.1: the method is case-sensitive",
	},
	{
		what: "no Host", cases: `protected_no_host_header`,
		pairs:   [][2]string{{`200, *`, `400, text`}},
		because: "RFC 9112 §3.2: 400 to an HTTP/1.1 request without Host",
	},
	{
		what: "a long URL, a long header, 101 headers", cases: `protected_(url_4200_bytes|header_9000_bytes|101_headers)`,
		pairs:   [][2]string{{`400, HTML`, secret}, {`400, HTML`, secret2}},
		because: "design §10: request headers 16 KiB; gunicorn's own limits are lower",
	},
	{
		what: "HEAD /login", cases: `login_head`, kept: true,
		pairs:   [][2]string{{`405, Allow OPTIONS POST`, `405, Allow OPTIONS POST`}},
		because: "RFC 9110 §9.3.2: an answer to HEAD has no body, so the HTML that is wrong elsewhere is not in it",
	},
	{
		what: "OPTIONS / of the second tutorial", cases: `root_options`, kept: true,
		pairs:   [][2]string{{`200, Allow GET HEAD OPTIONS`, `200, Allow GET HEAD OPTIONS`}},
		because: "RFC 9110 §9.3.7: OPTIONS tells what the resource allows; the page that is wrong elsewhere is not in it",
	},
	{
		what: "a header folded over two lines", cases: `protected_obs_fold_header`, kept: true,
		pairs:   [][2]string{{secret, secret}},
		because: "RFC 9112 §5.2: a server either rejects a folded line or replaces the fold by a space; net/http replaces it",
	},

	// Where the token is.
	{
		what: "no token, first tutorial", cases: `protected_.*`,
		pairs: [][2]string{
			{`401, "Missing Authorization Header"`, `401, "Missing Authorization Header", Bearer`}, {`401`, `401, Bearer`},
		},
		because: "RFC 9110 §15.5.2: a 401 carries WWW-Authenticate",
	},
	{
		what: "no token, second tutorial", cases: `protected_.*`,
		pairs: [][2]string{
			{`403, "Token is missing!"`, `401, "Token is missing!", Bearer`}, {`403`, `401, Bearer`},
		},
		because: "RFC 6750 §3.1, RFC 9110 §15.5.2, §15.5.4: without credentials 401; 403 is for credentials that are good and not enough",
	},
	{
		what: "another scheme", cases: `protected_(scheme_basic|scheme_token|scheme_none_raw_token|scheme_JWT|no_space)`,
		pairs:   [][2]string{{`401, "Missing 'Bearer' type in *`, `401, "Missing Authorization Header", Bearer`}},
		because: "RFC 6750 §3.1, last paragraph: an unsupported method is as no authentication at all, and is answered with the challenge and no error code",
	},
	{
		what: "another scheme on an optional route", cases: `optional/basic`, kept: true,
		pairs:   [][2]string{{`200, logged_in_as=anonymous user`, `200, logged_in_as=anonymous user`}},
		because: "RFC 6750 §3.1, last paragraph, as above; what made it a defect, a bad token after \"bearer\" that counts as none, is refused here",
	},
	{
		what: "a bad token after \"bearer\" on an optional route", cases: `optional/lower_bearer`,
		pairs:   [][2]string{{`200, logged_in_as=anonymous user`, invalid}},
		because: "RFC 9110 §11.1: the scheme is case-insensitive, so this is a token, and a bad one",
	},
	{
		what: "bearer, BEARER", cases: `protected_scheme_(lower_bearer|upper_BEARER)`,
		pairs:   [][2]string{{`401, "Missing 'Bearer' type in *`, secret}},
		because: "RFC 9110 §11.1: the scheme is case-insensitive",
	},
	{
		what:  "credentials that are not one token after Bearer and spaces",
		cases: `protected_(no_token_after_bearer|no_token_after_bearer_space|three_parts|bearer_twice_in_one|colon_after_bearer|equals_after_bearer|quoted_token|tab_between|non_ascii_header|json_in_token|sig_junk_inside)|optional/no_token_after_bearer`,
		pairs: [][2]string{
			{`422, "*"`, malformed}, {`401, "Missing 'Bearer' type in *`, malformed}, {secret, malformed},
		},
		because: "RFC 6750 §2.1, §3.1: credentials are Bearer 1*SP b64token; 400 invalid_request for what is malformed",
	},
	{
		what:    "a header that is not one token, second tutorial",
		cases:   `protected_(bearer_prefix_in_x_access_token|inner_space|quoted|comma|non_ascii|json_in_token|sig_junk_inside)`,
		pairs:   [][2]string{{`403, "Token is invalid!"`, `400, "Token is malformed!", Bearer invalid_request`}, {secret2, `400, "Token is malformed!", Bearer invalid_request`}},
		because: "RFC 6750 §2.1, §3.1: a token is a b64token; 400 invalid_request for what is malformed",
	},
	{
		what: "a list of credentials", cases: `protected_(comma_at_end|comma_list_basic_then_bearer|comma_list_bearer_then_basic|comma_list_two_bearers|comma_list_empty_member)`,
		pairs:   [][2]string{{secret, malformed}, {`401, "Missing 'Bearer' type in *`, malformed}, {`500, HTML`, malformed}},
		because: "RFC 9110 §11.6.2: Authorization holds one set of credentials, not a list; RFC 6750 §3.1: 400 invalid_request",
	},
	{
		what:  "two tokens, or two lines of one header",
		cases: `protected_(two_authorization_headers|two_authorization_headers_basic_first|two_headers|two_headers_bad_first)|query/twice|precedence/(bad_header_good_query|good_header_bad_query|good_header_and_cookie_post_no_csrf|cookie_without_csrf_then_good_query_post)`,
		pairs: [][2]string{
			{`401, "Missing 'Bearer' type in *`, twoTokens},
			{secret, twoTokens},
			{`403, "Token is invalid!"`, twoTokens},
			{`422, "Not enough segments"`, twoTokens},
			{`401, "Missing CSRF token"`, twoTokens},
		},
		because: "design §4: more than one token in a request is a 400 (RFC 6750 §2, §3.1)",
	},
	{
		what: "Authorization: Bearer, second tutorial", cases: `protected_authorization_bearer`,
		pairs:   [][2]string{{`403, "Token is missing!"`, secret2}},
		because: "RFC 6750 §2.1: resource servers MUST support this method",
	},
	{
		what: "x_access_token", cases: `protected_header_name_underscore`,
		pairs:   [][2]string{{secret2, `401, "Token is missing!", Bearer`}},
		because: "RFC 9110 §5.1, §5.6.2: a field name is a token; _ and - are different characters",
	},

	// What the token says.
	{
		what: "a bad token, first tutorial", cases: `protected_.*|wrong_token_kind/.*|optional/bad_signature|query/(bad|bearer_prefix)|cookie/bad_cookie`,
		pairs:   [][2]string{{`422, "*"`, invalid}},
		because: "RFC 6750 §3.1: 401 invalid_token for a token that is expired, revoked, malformed or invalid for other reasons",
	},
	{
		what: "a bad token, second tutorial", cases: `protected_.*`,
		pairs:   [][2]string{{`403, "Token is invalid!"`, invalid2}},
		because: "RFC 6750 §3.1: 401 invalid_token for a token that is expired, revoked, malformed or invalid for other reasons",
	},
	{
		what: "expired", cases: `protected_(expired|expired_1s|exp_now)`,
		pairs: [][2]string{
			{`401, "Token has expired"`, `401, "Token has expired", Bearer invalid_token`},
			{`403, "Token is invalid!"`, `401, "Token has expired!", Bearer invalid_token`},
		},
		because: "RFC 6750 §3, §3.1: 401 with a challenge and invalid_token; design §4: \"token expired\" is one of the three texts that outsiders read",
	},
	{
		what: "exp: true", cases: `protected_exp_bool`,
		pairs:   [][2]string{{`401, "Token has expired"`, invalid}},
		because: "RFC 7519 §4.1.4: exp MUST be a number",
	},
	{
		what: "exp: -1", cases: `protected_exp_negative`,
		pairs:   [][2]string{{`401, "Token has expired"`, invalid}},
		because: "design §4: one error in a fixed order, malformed before time: the token ends before it was made",
	},
	{
		what: "exp null, a list, 1e400, a string", cases: `protected_exp_(null|array|1e400|numeric_string)`,
		pairs:   [][2]string{{`500, HTML`, invalid}, {secret, invalid}, {secret2, invalid2}},
		because: "RFC 7519 §4.1.4: exp MUST be a number (NumericDate)",
	},
	{
		what: "no exp", cases: `protected_exp_missing`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "design §4: exp required (RFC 9068 §2.2)",
	},
	{
		what: "exp in the year 5138", cases: `protected_(exp_float|exp_year_5138)`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "design §4: a maximum lifetime (24 h)",
	},
	{
		what: "another audience", cases: `protected_aud_present`,
		pairs:   [][2]string{{secret, invalid}},
		because: "RFC 7519 §4.1.3: who is not in the audience MUST reject the token",
	},
	{
		what: "another issuer", cases: `protected_iss_present`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "RFC 8725 §3.8: the key must belong to the issuer that the token names",
	},
	{
		what: "another text of a good signature", cases: `protected_sig_(last_char_sibling|padded_equals)`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "design §4: strict base64url, canonical tail (RFC 7515 §2, RFC 4648 §3.5)",
	},
	{
		what: "another typ, no typ, another kind of token", cases: `protected_(typ_missing|typ_other|type_missing|type_unknown|type_upper_REFRESH|type_null|type_refresh)`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "RFC 9068 §4: the typ must be at+jwt (RFC 8725 §3.11)",
	},
	{
		what: "exp twice", cases: `protected_claims_duplicate_exp`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "design §4: no duplicate names (RFC 7519 §4 lets a parser reject them)",
	},
	{
		what: "no jti, no sub, no claims at all", cases: `protected_(jti_missing|claims_empty_object|user_missing|no_claims_at_all_but_signed)|token_edge/jti_missing`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "RFC 9068 §2.2: iss, exp, aud, sub, client_id, iat and jti are REQUIRED",
	},
	{
		what: "sub or jti that is no string, or empty", cases: `protected_(sub_null|sub_integer|sub_object|sub_empty|user_number|jti_integer)|token_edge/sub_array`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}, {`500, HTML`, invalid}},
		because: "RFC 7519 §4.1.2, §4.1.7: sub and jti are strings, and sub names somebody",
	},
	{
		what: "a user who does not exist", cases: `protected_(sub_unknown_user|user_unknown)|token_edge/deleted_user`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}, {`401, "Error loading the user deleted-user"`, invalid}},
		because: "RFC 6750 §3.1: 401 invalid_token; design §4: outsiders read one of three texts, which do not repeat the name",
	},
	{
		what: "kid: ../../dev/null", cases: `protected_kid_string`,
		pairs:   [][2]string{{secret, invalid}, {secret2, invalid2}},
		because: "design §4: keys are looked up in memory, by kid",
	},
	{
		what: "a token of 12 kB", cases: `protected_big_claims_9k`,
		pairs:   [][2]string{{`400, HTML`, invalid}, {`400, HTML`, invalid2}},
		because: "design §4: size first (8 KiB default); RFC 6750 §3.1",
	},

	// Other origins.
	{
		what: "a request of an origin that is not named", cases: `cors_(simple_login|simple_protected_no_token|simple_protected_valid|origin_null|preflight_no_request_method|preflight_unknown_path|404|405|500_json_null)`,
		pairs: [][2]string{
			{`401, "Invalid credentials!", CORS for https://app.example`, `401, "Invalid credentials!", Bearer, no CORS`},
			{`403, "Token is missing!", CORS for https://app.example`, `401, "Token is missing!", Bearer, no CORS`},
			{secret2 + `, CORS for *`, secret2 + `, no CORS`},
			{`200, Allow GET HEAD OPTIONS, CORS for https://app.example`, `200, Allow GET HEAD OPTIONS, no CORS`},
			{`404, HTML, CORS for https://app.example*`, `404, "Not found", no CORS`},
			{`405, HTML, Allow OPTIONS POST, CORS for https://app.example`, `405, "Method not allowed", Allow OPTIONS POST, no CORS`},
			{`500, HTML, CORS for https://app.example`, noFields + `, no CORS`},
		},
		because: "design §8: CORS by exact origin per route, off by default",
	},
	{
		what: "a preflight of an origin that is not named", cases: `cors_preflight_(login|protected|delete_not_routed|private_network)`,
		pairs:   [][2]string{{`200, Allow *, CORS for https://app.example methods *`, `204, no CORS`}},
		because: "design §8: CORS by exact origin per route, off by default; Fetch, CORS-preflight fetch: any ok status will do, and what is not granted is refused",
	},

	// Refreshing and logging out.
	{
		what: "a refreshed token where a fresh login is wanted", cases: `refresh_and_freshness/fresh_route_with_refreshed_token`,
		pairs:   [][2]string{{`401, "Fresh token required"`, `200, foo=fresh`}},
		because: "design §3: how fresh the login is, is auth_time (LoggedInWithin, RFC 9470), not which of its tokens is shown; seconds ago is fresh",
	},
	{
		what: "a refresh token twice", cases: `refresh_token_reuse/refresh_2_same_token`,
		pairs:   [][2]string{{`200, access_token`, `200, access_token + refresh_token`}},
		because: "design §6: a refresh rotates the token; within 10 s the one before answers with its successor, after that it counts towards the end of the session",
	},
	{
		what: "logging out twice, or with an expired token", cases: `logout_access_only/logout_again|logout_bad/expired`,
		pairs:   [][2]string{{`401, "*"`, `200, "Access token successfully revoked"`}},
		because: "design §8: /logout answers the second time too, and an expired token will do (RFC 7009 §2.2)",
	},
	{
		what:    "the other token of a session that was logged out",
		cases:   `logout_access_only/(refresh_after_logout|new_access_after_logout)|logout_refresh/access_still_valid|cookie/token_after_logout_cookie`,
		pairs:   [][2]string{{`200, *`, revoked}},
		because: "design §3, §7: a login is one session with all its tokens; logging out ends it",
	},
	{
		what: "logging out with a token that has no jti, blocklist in memory", cases: `token_edge/logout_jti_missing`, kept: true,
		pairs:   [][2]string{{`200, "Access token successfully revoked"`, `200, "Access token successfully revoked"`}},
		because: "design §7: nothing is stored per access token; the session ends, and no other token with it",
	},
	{
		what: "logging out with a token that has no jti, blocklist in SQL", cases: `token_edge/logout_jti_missing`,
		pairs:   [][2]string{{`500, HTML`, `200, "Access token successfully revoked"`}},
		because: "design §7: nothing is stored per access token; the session ends",
	},
	{
		what: "registering", cases: `register/(ok|duplicate|missing_password|empty|array_username|number_password|unicode|unicode_nfd_same_look|login_alice|me_alice)`,
		pairs: [][2]string{
			{`201, "created"`, `404, "Not found"`},
			{`409, "Username already taken"`, `404, "Not found"`},
			{`400, "Missing username or password"`, `404, "Not found"`},
			{`500, HTML`, `404, "Not found"`},
			{`200, access_token + refresh_token`, `401, "Bad username or password", Bearer`},
			{`200, claims_role=user + role=user + username=alice`, malformed},
		},
		because: "design §8: POST /register is off by default; so alice does not exist and has no token",
	},

	// With tokens in cookies, bodies and queries.
	{
		what: "no token anywhere", cases: `query/(empty|other_name)|json/(missing_key|null_body|array_body|string_body|wrong_type)|precedence/(nothing|nothing_post_json)`,
		pairs: [][2]string{
			{`401, "Missing JWT in headers, cookies, json or query_string (*`, `401, "Missing JWT in headers, cookies, json or query_string", Bearer`},
			{`500, HTML`, `401, "Missing JWT in headers, cookies, json or query_string", Bearer`},
		},
		because: "RFC 9110 §15.5.2: a 401 carries WWW-Authenticate; RFC 6750 §3.1, last paragraph: it tells who has no credentials nothing more",
	},
	{
		what: "a token that is no string, or JSON that is none", cases: `json/(malformed|number_token|array_token)`,
		pairs: [][2]string{
			{`401, "Missing JWT in *`, `400, "Malformed credentials", Bearer invalid_request`},
			{`422, "Invalid token type. *`, `400, "Malformed credentials", Bearer invalid_request`},
		},
		because: "RFC 6750 §3.1: 400 invalid_request for what is malformed",
	},
	{
		what: "the cookies", cases: `cookie/(login_cookie|logout_cookie|refresh_cookie_ok)`,
		pairs: [][2]string{
			{`200, "login successful", ` + theirs, `200, "login successful", ` + cookies},
			{`200, "logout successful", ` + theirs, `200, "logout successful", ` + cookies},
			{`200, access_token`, `200, access_token, ` + cookies},
		},
		because: "design §8: __Host-dw_refresh is Secure, HttpOnly, SameSite=Strict; §6: a refresh rotates the token",
	},
	{
		what: "a cookie without the CSRF value, from no browser", cases: `cookie/(post_no_csrf|post_wrong_csrf|post_csrf_non_ascii|post_with_forged_no_csrf_claim|refresh_cookie_no_csrf)`,
		pairs: [][2]string{
			{`401, "Missing CSRF token"`, secret},
			{`401, "CSRF double submit tokens do not match"`, secret},
			{`500, HTML`, secret},
			{`422, "Missing claim: csrf"`, secret},
			{`401, "Missing CSRF token"`, `200, access_token, ` + cookies},
		},
		because: "design §8: http.CrossOriginProtection guards every cookie endpoint; it judges what browsers say of the request's origin, and a client that is no browser cannot be misled by another site",
	},
}

// fits reports whether the difference explains what became of one case.
func (d difference) fits(name string, recorded, here outcome) bool {
	if !regexp.MustCompile(`^(?:` + d.cases + `)$`).MatchString(name) {
		return false
	}
	for _, pair := range d.pairs {
		if matches(pair, recorded.String(), here.String()) {
			return true
		}
	}
	return false
}

// matches compares both sides to the letter. What the last * on the left stands for takes
// the place of a * on the right.
func matches(pair [2]string, recorded, here string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(pair[0]), `\*`, `(.*)`)
	found := regexp.MustCompile(`^` + pattern + `$`).FindStringSubmatch(recorded)
	if found == nil {
		return false
	}
	want := pair[1]
	if strings.Contains(want, "*") {
		want = strings.ReplaceAll(want, "*", found[len(found)-1])
	}
	return want == here
}
