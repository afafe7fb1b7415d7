package password_test

// known are hashes whose password is known; where no source is named, by the libraries that testdata/hashes.py calls.
var known = []pythonHash{
	{Scheme: "sha512_crypt", Password: "Hello world!", Hash: "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"}, // its specification
	{Scheme: "sha256_crypt", Password: "Hello world!", Hash: "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"},                         // its specification
	{Scheme: "bcrypt", Password: "U*U", Hash: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},                                                        // Openwall, crypt_blowfish
	{Scheme: "werkzeug pbkdf2:sha256", Password: "Kirschbaum & Ärger 7", Hash: "pbkdf2:sha256:1000$HjzVhBfAjBteMLU2$245899c6af1d79609c68c3fe328fc34d8506fd2763549560924b7f5c3c2cf707"},
	{Scheme: "werkzeug pbkdf2:sha1", Password: "Kirschbaum & Ärger 7", Hash: "pbkdf2:sha1:1000$CBbf78VA$6cbaf5f354402e4e7dc47f1e7519fcf3db6e7f7e"},
	{Scheme: "salted sha256", Password: "Kirschbaum & Ärger 7", Hash: "sha256$eqlrzA8EEOJAP7Hc$751ccb4adff27c9d5eacf13a1dad47ac27dd4d785dc62bf6c37e817f0584f630"},
	{Scheme: "salted sha512", Password: "Kirschbaum & Ärger 7", Hash: "sha512$fl2uFF8yNrARxKAQ$e3a1d3c076cac89bbadc6db9c20f9c276ea559dc9f590d799e75ae732e4196352ac977b0b46c6ebf7e4a46eeeb207940a3aff51fd41411a3d072aaafe5e3853d"},
	{Scheme: "salted sha1", Password: "Kirschbaum & Ärger 7", Hash: "sha1$CxWWc8GrICuvlMVs$8a2ea901c0666860ff1dd3826b0de5a85855e0dc"},
	{Scheme: "werkzeug scrypt", Password: "Kirschbaum & Ärger 7", Hash: "scrypt:1024:8:1$ucNdPNMKmRRj0297$a850a556c52d1e38285ac043ada55306a6a799dc1efb63fdd8556e556521b5fc9880dc7312e0b809fe80e81cbad2bb3e309e5b5bbe730a4325ddcba4f7580431"},
	{Scheme: "django pbkdf2_sha256", Password: "Kirschbaum & Ärger 7", Hash: "pbkdf2_sha256$1000$G4CVDQLXS0qW1ogs1Bcqfa$XwZGFiRTSWCbNYjBCqOgVJ6iCHnXsgpWZ0IwIr0jqlA="},
	{Scheme: "django pbkdf2_sha1", Password: "Kirschbaum & Ärger 7", Hash: "pbkdf2_sha1$1000$ji6IuguGjL5kCETXdwYAsh$uDNmcIG/nOGMO9O9ajBhGUTxLsg="},
	{Scheme: "django argon2id", Password: "Kirschbaum & Ärger 7", Hash: "argon2$argon2id$v=19$m=256,t=1,p=2$RWpjZmR1Z1VhSmRkVGtEZzIwMlZ5Tg$8bgjHxikB/57AVsMLxO5ow"},
	{Scheme: "django bcrypt_sha256", Password: "Kirschbaum & Ärger 7", Hash: "bcrypt_sha256$$2b$04$rUIm23i7cz1d0fx3ckZSPOMoT2/p3325lGBUGe47u2e3lTO1glCdW"},
	{Scheme: "django bcrypt", Password: "Kirschbaum & Ärger 7", Hash: "bcrypt$$2b$04$gmE16CpcuNDVH9ifC1gaXuaH27e80cea0ZtW3IW9E/xUdMjy4CUym"},
	{Scheme: "django scrypt", Password: "Kirschbaum & Ärger 7", Hash: "scrypt$1024$f755283ded81fe27c13b4a$8$5$lEtXWh+aXAYLcMvCnDpZ/8E6+u6vi4sumaTdltfSx3qaN9EXlXKBY00mwa32qkKJl58EVdXPWVDtBJCVqgS1Cg=="},
	{Scheme: "passlib pbkdf2-sha1", Password: "Kirschbaum & Ärger 7", Hash: "$pbkdf2$1000$oDRmjPGe0xqj9B5DSOndmw$sf3mC3/4Gs30x0/1A3bVJA79EZU"},
	{Scheme: "passlib pbkdf2-sha256", Password: "Kirschbaum & Ärger 7", Hash: "$pbkdf2-sha256$1000$yHmv1XpvDUGodc4ZQ2jtPQ$tBWwycBJcZWe89OhgM6L7CJXRjjCOKrym13m0rBTHZg"},
	{Scheme: "passlib pbkdf2-sha512", Password: "Kirschbaum & Ärger 7", Hash: "$pbkdf2-sha512$1000$vNfae8/5n3OO8f4/5zynFA$IggaO2N1f9WxQ1SLHa9MAZFm15oQP6DMcalbwgCcIylXc4bkYau2bN0dLpiHFo2SIfGlDMTKzzCDKTaI.4XeOw"},
	{Scheme: "passlib bcrypt_sha256", Password: "Kirschbaum & Ärger 7", Hash: "$bcrypt-sha256$v=2,t=2b,r=4$7qIbI1Uj/aYcClGt/nTCBe$apYPTSF5XrPjeQwpLQLCnurGonQZQIa"},
	{Scheme: "scrypt", Password: "Kirschbaum & Ärger 7", Hash: "$scrypt$ln=10,r=8,p=1$X0upde6dM0YIQei9lxLiPA$QVPjUwqp4He6pPYriNtQXAWaI2vaTQ3iufrbbKAWW+g"},
	{Scheme: "argon2id", Password: "Kirschbaum & Ärger 7", Hash: "$argon2id$v=19$m=64,t=1,p=1$QKmr7rCNeiUUwB691Sq8lA$jcx8ptl/kxlcbSQ+Lp7HVg"},
	{Scheme: "argon2i", Password: "Kirschbaum & Ärger 7", Hash: "$argon2i$v=19$m=64,t=2,p=1$jBRLhouwYPhHNORvbnYKhA$YyVIkpFT/I3k+nfKKb54Kg"},
}
