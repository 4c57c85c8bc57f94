-- What tests do to the tenants, one call each. A schema apart, so that the product's own is as shipped.
CREATE SCHEMA way;

-- A tenant of that id, active; there already: active again.
CREATE FUNCTION way.tenant(id text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO headgate.tenant(tenant_id) VALUES (id) ON CONFLICT (tenant_id) DO UPDATE SET state = 'active'
$$;

-- A token given in plain text: hgt_<id>_... keeps its public id, any other gets the first 16 digits of its hash.
CREATE FUNCTION way.token_id(secret text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(substring(secret FROM '^hgt_([0-9A-Za-z]{8})_'), left(encode(sha256(convert_to(secret, 'UTF8')), 'hex'), 16))
$$;

CREATE FUNCTION way.token(tenant text, secret text, scopes text[] DEFAULT '{*}', expires_at timestamptz DEFAULT NULL,
		not_before timestamptz DEFAULT NULL, allowed_cidrs cidr[] DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	INSERT INTO headgate.token(token_id, tenant_id, hash, scopes, expires_at, not_before, allowed_cidrs)
		VALUES (way.token_id(secret), tenant, sha256(convert_to(secret, 'UTF8')), scopes, expires_at, not_before, allowed_cidrs)
		RETURNING token_id
$$;

CREATE FUNCTION way.revoke(secret text) RETURNS void LANGUAGE sql AS $$
	UPDATE headgate.token SET revoked_at = now(), revoked_by = 'way' WHERE token_id = way.token_id(secret)
$$;

CREATE FUNCTION way.drop_token(secret text) RETURNS void LANGUAGE sql AS $$
	DELETE FROM headgate.token WHERE token_id = way.token_id(secret)
$$;

-- N tenants and one token each, for size: PREFIX1.., with tokens "PREFIX1-secret"..
CREATE FUNCTION way.many(prefix text, n int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO headgate.tenant(tenant_id) SELECT prefix || i FROM generate_series(1, n) i;
	INSERT INTO headgate.token(token_id, tenant_id, hash)
		SELECT prefix || i, prefix || i, sha256(convert_to(prefix || i || '-secret', 'UTF8')) FROM generate_series(1, n) i;
$$;
