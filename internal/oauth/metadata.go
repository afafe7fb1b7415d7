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

// MetadataAt returns it for endpoints below a URL.
func MetadataAt(base string) Metadata {
	methods := []string{"client_secret_basic", "client_secret_post"}
	return Metadata{
		TokenEndpoint: base + TokenPath, TokenMethods: methods, GrantTypes: []string{"client_credentials", "refresh_token"},
		RevocationEndpoint: base + RevokePath, RevocationMethods: methods,
		IntrospectionEndpoint: base + IntrospectPath, IntrospectionMethods: methods,
	}
}
