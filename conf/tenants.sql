-- SPDX-License-Identifier: Apache-2.0
-- headgate tenant schema, version 1. Run in one transaction (psql -1 -v ON_ERROR_STOP=1) by a role that may create roles.
CREATE SCHEMA headgate;
SET LOCAL search_path = headgate;
DO $$BEGIN
	IF current_schema() IS DISTINCT FROM 'headgate' THEN
		RAISE EXCEPTION 'run tenants.sql in one transaction (psql -1 -v ON_ERROR_STOP=1)';
	END IF;
END$$;

CREATE TABLE schema_version(
	version int PRIMARY KEY,
	applied_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO schema_version VALUES (1);

CREATE TABLE tenant(
	tenant_id text COLLATE "C" PRIMARY KEY
		CHECK (tenant_id ~ '^[0-9A-Za-z!_.*''()-]{1,150}$' AND tenant_id NOT IN ('.', '..', '__mimir_cluster')),
	state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'deleting')),
	display_name text NOT NULL DEFAULT '' CHECK (octet_length(display_name) <= 255),
	requests_per_s bigint CHECK (requests_per_s > 0),
	requests_burst bigint CHECK (requests_burst IS NULL OR requests_burst > 0 AND requests_per_s IS NOT NULL),
	bytes_per_s bigint CHECK (bytes_per_s > 0),
	bytes_burst bigint CHECK (bytes_burst IS NULL OR bytes_burst > 0 AND bytes_per_s IS NOT NULL),
	items_per_s bigint CHECK (items_per_s > 0),
	items_burst bigint CHECK (items_burst IS NULL OR items_burst > 0 AND items_per_s IS NOT NULL),
	max_body_bytes bigint CHECK (max_body_bytes > 0),
	max_inflight_bytes bigint CHECK (max_inflight_bytes > 0),
	max_inflight_requests int CHECK (max_inflight_requests > 0),
	block_until timestamptz,
	topic_prefix text CHECK (topic_prefix ~ '^[0-9A-Za-z._-]{1,100}$'),
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE token(
	token_id text COLLATE "C" PRIMARY KEY CHECK (token_id ~ '^[0-9A-Za-z_-]{1,64}$'),
	tenant_id text COLLATE "C" NOT NULL REFERENCES tenant ON DELETE CASCADE,
	kind text NOT NULL DEFAULT 'sha256',
	hash bytea NOT NULL UNIQUE,
	iterations int,
	name text NOT NULL DEFAULT '' CHECK (octet_length(name) <= 255),
	scopes text[] NOT NULL DEFAULT '{*}'
		CHECK (scopes <@ ARRAY['*', 'traces:write', 'metrics:write', 'logs:write', 'events:write', 'opaque:write']),
	not_before timestamptz,
	expires_at timestamptz CHECK (expires_at > not_before),
	revoked_at timestamptz,
	revoked_by text,
	replaced_by text COLLATE "C" REFERENCES token ON DELETE SET NULL CHECK (replaced_by <> token_id),
	allowed_cidrs cidr[] CHECK (cardinality(allowed_cidrs) BETWEEN 1 AND 64 AND array_position(allowed_cidrs, NULL) IS NULL),	-- NULL: from anywhere
	created_at timestamptz NOT NULL DEFAULT now(),
	created_by text NOT NULL DEFAULT session_user,
	CHECK (CASE kind
		WHEN 'sha256' THEN octet_length(hash) = 32 AND iterations IS NULL
		WHEN 'pbkdf2' THEN octet_length(hash) = 20 AND iterations IS NOT NULL AND iterations BETWEEN 1 AND 100000
		ELSE false END)
);
CREATE INDEX ON token(tenant_id);
CREATE INDEX ON token(replaced_by) WHERE replaced_by IS NOT NULL;	-- ON DELETE SET NULL looks there for each deleted token

CREATE TABLE token_use(	-- no trigger: its writes must not ring the bell
	token_id text COLLATE "C" PRIMARY KEY REFERENCES token ON DELETE CASCADE,
	last_used_at timestamptz NOT NULL
);

-- What changed, and in which transaction: the master keeps the pg_snapshot of its last read and asks for the rows whose
-- transaction was not visible in it. Exact under any commit order, and one revocation costs one row. NULLs: everything.
-- Writers only insert here. The master prunes, in a transaction of its own, what its last snapshot saw and is over 24 hours old.
-- After a restore into another cluster: TRUNCATE headgate.change (its xids mean nothing there).
CREATE TABLE change(
	xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
	tenant_id text COLLATE "C",
	token_id text COLLATE "C",
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON change(xid);
CREATE INDEX ON change(at);

CREATE TABLE audit(
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	actor text NOT NULL DEFAULT session_user,
	action text NOT NULL,
	tenant_id text,
	token_id text,
	detail jsonb NOT NULL DEFAULT '{}'
);

-- Statement level, over the rows touched: what changed (by its old and its new keys), who did it, and one NOTIFY a transaction
-- with an empty payload. No row touched: nothing. Over 10 000 rows: "everything" and one audit row, cheaper to read and to keep.
CREATE FUNCTION on_touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = headgate, pg_temp AS $$
DECLARE
	verb text := lower(TG_TABLE_NAME || '.' || TG_OP);
	touched_rows bigint;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		INSERT INTO change DEFAULT VALUES;
		INSERT INTO audit(action) VALUES (verb);
	ELSE
		SELECT count(*) INTO touched_rows FROM touched;
		IF touched_rows = 0 THEN
			RETURN NULL;
		ELSIF touched_rows > 10000 THEN
			INSERT INTO change DEFAULT VALUES;
			INSERT INTO audit(action, detail) VALUES (verb, jsonb_build_object('rows', touched_rows));
		ELSE
			INSERT INTO change(tenant_id, token_id) SELECT r->>'tenant_id', r->>'token_id' FROM (SELECT to_jsonb(t) FROM touched t) x(r);
			IF TG_OP = 'UPDATE' THEN	-- a key may have changed: the old one is a tombstone now
				INSERT INTO change(tenant_id, token_id)
					SELECT r->>'tenant_id', r->>'token_id' FROM (SELECT to_jsonb(t) FROM before t) x(r)
					EXCEPT SELECT r->>'tenant_id', r->>'token_id' FROM (SELECT to_jsonb(t) FROM touched t) x(r);
			END IF;
			INSERT INTO audit(action, tenant_id, token_id, detail)
				SELECT verb, r->>'tenant_id', r->>'token_id', r - 'hash' FROM (SELECT to_jsonb(t) FROM touched t) x(r);
		END IF;
	END IF;
	PERFORM pg_notify('headgate', '');
	RETURN NULL;
END$$;
REVOKE EXECUTE ON FUNCTION on_touch() FROM PUBLIC;	-- else anybody hangs it on a table of his own and forges audit rows

CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' AND current_setting('headgate.audit_trim', true) = 'on' THEN
		RETURN NULL;
	END IF;
	RAISE EXCEPTION 'headgate.audit is append-only (its owner trims it: headgate.audit_trim)';
END$$;

-- The one way to shorten the audit, for the schema's owner: SELECT headgate.audit_trim(now() - interval '400 days').
CREATE FUNCTION audit_trim(up_to timestamptz) RETURNS bigint LANGUAGE plpgsql
	SET search_path = headgate, pg_temp SET headgate.audit_trim = 'on' AS $$
DECLARE
	trimmed bigint;
BEGIN
	DELETE FROM audit WHERE at < up_to;
	GET DIAGNOSTICS trimmed = ROW_COUNT;
	INSERT INTO audit(action, detail) VALUES ('audit.trim', jsonb_build_object('up_to', up_to, 'rows', trimmed));
	RETURN trimmed;
END$$;
REVOKE EXECUTE ON FUNCTION audit_trim(timestamptz) FROM PUBLIC;

DO $$	-- a trigger with a transition table takes one event; ALWAYS: also under session_replication_role = replica
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['tenant', 'token'] LOOP
		EXECUTE format('CREATE TRIGGER touch_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION on_touch()', t);
		EXECUTE format('CREATE TRIGGER touch_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS before NEW TABLE AS touched
			FOR EACH STATEMENT EXECUTE FUNCTION on_touch()', t);
		EXECUTE format('CREATE TRIGGER touch_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION on_touch()', t);
		EXECUTE format('CREATE TRIGGER touch_truncate AFTER TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION on_touch()', t);
		EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER touch_insert, ENABLE ALWAYS TRIGGER touch_update, ENABLE ALWAYS TRIGGER touch_delete,
			ENABLE ALWAYS TRIGGER touch_truncate', t);
	END LOOP;
END$$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_keep();
ALTER TABLE audit ENABLE ALWAYS TRIGGER keep;

CREATE VIEW gateway_tenant AS
	SELECT tenant_id, state, requests_per_s, requests_burst, bytes_per_s, bytes_burst, items_per_s, items_burst,
		max_body_bytes, max_inflight_bytes, max_inflight_requests, block_until, topic_prefix
	FROM tenant;
-- Revoked tokens stay in view for 30 days, so that logs, metrics and audit can say "revoked", not "unknown".
CREATE VIEW gateway_token AS
	SELECT token_id, tenant_id, kind, hash, iterations, scopes, not_before, expires_at, revoked_at, replaced_by, allowed_cidrs
	FROM token WHERE revoked_at IS NULL OR revoked_at > now() - interval '30 days';

DO $$	-- roles belong to the cluster: another database of it may have them already
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['headgate_reader', 'headgate_writer'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', name);
		END IF;
	END LOOP;
END$$;
GRANT USAGE ON SCHEMA headgate TO headgate_reader, headgate_writer;
GRANT SELECT ON gateway_tenant, gateway_token, change, schema_version TO headgate_reader, headgate_writer;
GRANT SELECT, INSERT, UPDATE ON token_use TO headgate_reader;
GRANT DELETE ON change TO headgate_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant, token TO headgate_writer;
GRANT SELECT ON token_use, audit TO headgate_writer;
