"""The tables that every realm has, regency or province: offices, members, their sessions."""

PEOPLE = """
CREATE TABLE office (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL,
    parent_id uuid REFERENCES office
);
CREATE TABLE member (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    nip text UNIQUE CHECK (nip ~ '^[0-9]{{18}}$'),
    position text,
    office_id uuid REFERENCES office,
    roles text[] NOT NULL,
    invited_as text UNIQUE,
    issuer text,
    subject text,
    joined_at timestamptz,
    suspended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);
CREATE UNIQUE INDEX member_identity ON member (issuer, subject);
CREATE TABLE login_session (
    token_hash bytea PRIMARY KEY,
    member_id uuid NOT NULL REFERENCES member,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
GRANT SELECT, INSERT, UPDATE ON office, member, login_session TO {app};
GRANT DELETE ON login_session TO {app};
"""
