package main

import (
	"errors"
	"testing"

	"github.com/doorward/doorward"
	"github.com/doorward/doorward/jwt"
)

// reasons is why each recipe's token is refused, so that each is known to be refused for its own
// fault and for no other. Nil is a good token.
var reasons = map[error][]string{
	nil: {"valid", "nbf_missing", "fresh_missing", "fresh_true", "big_claims_5k", "sub_unknown_user", "user_unknown"},
	jwt.ErrMalformed: {
		"sig_last_char_sibling", "sig_padded_equals", "sig_junk_inside", "two_segments", "four_segments",
		"type_null", "alg_missing", "alg_null", "alg_array", "alg_object",
		"kid_number", "crit_unknown", "b64_false", "header_array", "header_not_json", "header_null",
		"claims_array", "claims_string", "claims_null", "claims_not_json", "claims_duplicate_exp",
		"not_a_jwt", "three_dots", "bad_base64", "upper_cased", "json_in_token", "big_claims_9k",
	},
	jwt.ErrKey: {
		"alg_none", "alg_None_mixed_case", "alg_none_with_hs256_sig", "alg_HS512", "alg_HS256_lower_case", "alg_RS256_header", "kid_string", "header_tampered",
	},
	jwt.ErrSignature: {
		"wrong_key", "empty_key", "payload_tampered", "sig_last_char_flipped", "sig_removed", "sig_junk", "jwk_embedded",
	},
	jwt.ErrType: {
		"typ_missing", "typ_other", "refresh", "type_missing", "type_unknown", "type_upper_REFRESH", "type_refresh",
	},
	doorward.ErrClaims: {
		"exp_missing", "exp_null", "exp_numeric_string", "exp_word", "exp_float", "exp_bool", "exp_negative", "exp_year_5138",
		"exp_1e400", "exp_array", "nbf_word", "iat_word", "claims_empty_object", "no_claims_at_all_but_signed",
		"sub_missing", "sub_null", "sub_integer", "sub_object", "sub_array", "sub_empty", "user_missing", "user_number",
		"jti_missing", "jti_integer",
	},
	doorward.ErrExpired:  {"expired", "expired_1s", "exp_now"},
	doorward.ErrNotYet:   {"nbf_future", "iat_future"},
	doorward.ErrIssuer:   {"iss_present"},
	doorward.ErrAudience: {"aud_present"},
}

// TestGoldenForge verifies every forged token and asks for the reason.
func TestGoldenForge(t *testing.T) {
	t.Parallel()
	want := map[string]error{}
	for err, names := range reasons {
		for _, name := range names {
			want[name] = err
		}
	}
	for _, tt := range []struct {
		recipes string
		dialect dialect
	}{{"tokens_t000.json", first}, {"tokens_t001.json", second}} {
		a := startApp(t, config{dialect: tt.dialect})
		f := newForge(t, a, tt.recipes)
		for name := range f.recipes {
			wanted, ok := want[name]
			if !ok {
				t.Errorf("%s: nobody says why this token is refused", name)
				continue
			}
			_, err := a.verifier.Verify(t.Context(), f.token(t, name))
			if !errors.Is(err, wanted) {
				t.Errorf("%s: %v, want %v", name, err, wanted)
			}
		}
	}
}
