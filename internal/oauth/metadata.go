package oauth

// Metadata is what RFC 8414 §2 asks an authorization server to say of these endpoints.
type Metadata struct {
	TokenEndpoint         string   `json:"token_endpoint,omitzero"`
	TokenMethods          []string `json:"token_endpoint_auth_methods_supported,omitzero"`
	GrantTypes            []string `json:"grant_types_supported,omitzero"`
	RevocationEndpoint    string   `json:"revocation_endpoint,omitzero"`
	RevocationMethods     []string `json:"revocation_endpoint_auth_methods_supported,omitzero"`
	IntrospectionEndpoint string   `json:"introspection_endpoint,omitzero"`
	IntrospectionMethods  []string `json:"introspection_endpoint_auth_methods_supported,omitzero"`
}

// MetadataAt returns the Metadata of endpoints below a URL. keys says that API keys are exchanged. The method "none" is
// not named for that: it is for clients that do not authenticate, and an exchange has no client.
func MetadataAt(base string, keys bool) Metadata {
	methods, grants := []string{"client_secret_basic", "client_secret_post"}, []string{"client_credentials", "refresh_token"}
	if keys {
		grants = append(grants, grantExchange)
	}
	return Metadata{
		TokenEndpoint: base + tokenPath, TokenMethods: methods, GrantTypes: grants,
		RevocationEndpoint: base + revokePath, RevocationMethods: methods,
		IntrospectionEndpoint: base + introspectPath, IntrospectionMethods: methods,
	}
}
