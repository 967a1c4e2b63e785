-- The tables of the first version, as its programs made them on PostgreSQL.
CREATE TABLE account (
    name VARCHAR(64) NOT NULL,
    display_name VARCHAR(200) NOT NULL,
    role VARCHAR(16) NOT NULL,
    password_hash VARCHAR(200) NOT NULL,
    created VARCHAR(27) NOT NULL,
    active BOOLEAN NOT NULL,
    failures INTEGER NOT NULL,
    locked_until VARCHAR(27),
    PRIMARY KEY (name)
);
CREATE TABLE alert (
    id VARCHAR(36) NOT NULL,
    source VARCHAR(16) NOT NULL,
    robot VARCHAR(63) NOT NULL,
    kind VARCHAR(100) NOT NULL,
    severity INTEGER NOT NULL,
    grade VARCHAR(1) NOT NULL,
    opened VARCHAR(27) NOT NULL,
    state VARCHAR(16) NOT NULL,
    incident VARCHAR(36),
    claimed_by VARCHAR(64),
    claimed VARCHAR(27),
    decided_by VARCHAR(64),
    decided VARCHAR(27),
    reason TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX alert_by_state ON alert (state, opened);
CREATE TABLE audit (
    leaf BIGINT NOT NULL,
    time VARCHAR(27) NOT NULL,
    actor VARCHAR(80) NOT NULL,
    action VARCHAR(64) NOT NULL,
    object VARCHAR(200) NOT NULL,
    details TEXT NOT NULL,
    salt VARCHAR(32) NOT NULL,
    leaf_hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (leaf)
);
CREATE INDEX audit_by_time ON audit (time);
CREATE TABLE audit_checkpoint (
    size BIGSERIAL NOT NULL,
    root VARCHAR(64) NOT NULL,
    time VARCHAR(27) NOT NULL,
    signature VARCHAR(86) NOT NULL,
    PRIMARY KEY (size)
);
CREATE TABLE audit_node (
    level INTEGER NOT NULL,
    position BIGINT NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (level, position)
);
CREATE TABLE blob (
    sha256 VARCHAR(64) NOT NULL,
    media_type VARCHAR(120) NOT NULL,
    size_bytes BIGINT NOT NULL,
    retention VARCHAR(32) NOT NULL,
    received VARCHAR(27) NOT NULL,
    robot VARCHAR(63) NOT NULL,
    removed VARCHAR(27),
    PRIMARY KEY (sha256)
);
CREATE TABLE command (
    number BIGSERIAL NOT NULL,
    id VARCHAR(36) NOT NULL,
    robot VARCHAR(63) NOT NULL,
    type VARCHAR(64) NOT NULL,
    issued VARCHAR(27) NOT NULL,
    expires VARCHAR(27) NOT NULL,
    data TEXT NOT NULL,
    signature VARCHAR(86) NOT NULL,
    issued_by VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    state_time VARCHAR(27) NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (id)
);
CREATE INDEX command_by_robot ON command (robot, number);
CREATE TABLE detection (
    number BIGSERIAL NOT NULL,
    uuid VARCHAR(36) NOT NULL,
    robot VARCHAR(63) NOT NULL,
    received VARCHAR(27) NOT NULL,
    stamp VARCHAR(27) NOT NULL,
    kind VARCHAR(100) NOT NULL,
    severity INTEGER NOT NULL,
    confidence FLOAT NOT NULL,
    value FLOAT,
    unit VARCHAR(200) NOT NULL,
    standard_uncertainty FLOAT,
    subject VARCHAR(200) NOT NULL,
    x FLOAT,
    y FLOAT,
    rule_id VARCHAR(200) NOT NULL,
    rule_version VARCHAR(200) NOT NULL,
    evidence TEXT NOT NULL,
    attributes TEXT NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (uuid)
);
CREATE TABLE enrolment (
    code_hash VARCHAR(64) NOT NULL,
    robot VARCHAR(63) NOT NULL,
    created VARCHAR(27) NOT NULL,
    expires VARCHAR(27) NOT NULL,
    used VARCHAR(27),
    PRIMARY KEY (code_hash)
);
CREATE TABLE event (
    number BIGSERIAL NOT NULL,
    outbox VARCHAR(36) NOT NULL,
    sequence BIGINT NOT NULL,
    robot VARCHAR(63) NOT NULL,
    id VARCHAR(36) NOT NULL,
    type VARCHAR(64) NOT NULL,
    time VARCHAR(27) NOT NULL,
    received VARCHAR(27) NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (number)
);
CREATE UNIQUE INDEX event_by_outbox ON event (outbox, sequence);
CREATE TABLE fault (
    robot VARCHAR(63) NOT NULL,
    code VARCHAR(200) NOT NULL,
    source VARCHAR(200) NOT NULL,
    severity INTEGER NOT NULL,
    text TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    stamp VARCHAR(27) NOT NULL,
    PRIMARY KEY (robot, code, source)
);
CREATE TABLE finding_count (
    hour VARCHAR(13) NOT NULL,
    kind VARCHAR(100) NOT NULL,
    findings BIGINT NOT NULL,
    alarms BIGINT NOT NULL,
    PRIMARY KEY (hour, kind)
);
CREATE TABLE incident (
    uuid VARCHAR(36) NOT NULL,
    robot VARCHAR(63) NOT NULL,
    stamp VARCHAR(27) NOT NULL,
    received VARCHAR(27) NOT NULL,
    opened VARCHAR(27) NOT NULL,
    state VARCHAR(32) NOT NULL,
    kind VARCHAR(100) NOT NULL,
    grade VARCHAR(1) NOT NULL,
    subject VARCHAR(200) NOT NULL,
    confidence FLOAT NOT NULL,
    x FLOAT,
    y FLOAT,
    expires VARCHAR(27),
    summary_key VARCHAR(200) NOT NULL,
    detections TEXT NOT NULL,
    history TEXT NOT NULL,
    attributes TEXT NOT NULL,
    PRIMARY KEY (uuid)
);
CREATE INDEX incident_by_time ON incident (opened);
CREATE TABLE inspection_order (
    id VARCHAR(64) NOT NULL,
    revision INTEGER NOT NULL,
    robot VARCHAR(63),
    officer VARCHAR(64) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    place_name VARCHAR(200) NOT NULL,
    created VARCHAR(27) NOT NULL,
    due VARCHAR(27) NOT NULL,
    state VARCHAR(16) NOT NULL,
    steps TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE quarantine (
    number BIGSERIAL NOT NULL,
    robot VARCHAR(63) NOT NULL,
    outbox VARCHAR(36) NOT NULL,
    sequence BIGINT NOT NULL,
    received VARCHAR(27) NOT NULL,
    reason TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (number)
);
CREATE TABLE robot (
    name VARCHAR(63) NOT NULL,
    token_hash VARCHAR(64) NOT NULL,
    previous_token_hash VARCHAR(64),
    previous_token_expires VARCHAR(27),
    public_key VARCHAR(43) NOT NULL,
    watchlist_key BYTEA NOT NULL,
    enrolled VARCHAR(27) NOT NULL,
    revoked BOOLEAN NOT NULL,
    last_seen VARCHAR(27),
    clock_offset_s FLOAT,
    status TEXT,
    PRIMARY KEY (name),
    UNIQUE (token_hash),
    UNIQUE (previous_token_hash)
);
CREATE TABLE screening_count (
    robot VARCHAR(63) NOT NULL,
    hour VARCHAR(13) NOT NULL,
    people BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    indeterminate BIGINT NOT NULL,
    alarms BIGINT NOT NULL,
    PRIMARY KEY (robot, hour)
);
CREATE TABLE service_token (
    token_hash VARCHAR(64) NOT NULL,
    name VARCHAR(64) NOT NULL,
    role VARCHAR(16) NOT NULL,
    created VARCHAR(27) NOT NULL,
    expires VARCHAR(27),
    PRIMARY KEY (token_hash),
    UNIQUE (name)
);
CREATE TABLE setting (
    name VARCHAR(64) NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name),
    UNIQUE (name)
);
CREATE TABLE watchlist_entry (
    id VARCHAR(64) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    identifier TEXT NOT NULL,
    birth_date VARCHAR(10) NOT NULL,
    advice VARCHAR(200) NOT NULL,
    expires VARCHAR(27),
    added_by VARCHAR(64) NOT NULL,
    added_version INTEGER NOT NULL,
    removed_version INTEGER,
    PRIMARY KEY (id)
);
CREATE TABLE login_link (
    token_hash VARCHAR(64) NOT NULL,
    account VARCHAR(64) NOT NULL,
    expires VARCHAR(27) NOT NULL,
    used VARCHAR(27),
    PRIMARY KEY (token_hash),
    FOREIGN KEY(account) REFERENCES account (name)
);
CREATE TABLE outbox (
    id VARCHAR(36) NOT NULL,
    robot VARCHAR(63) NOT NULL,
    last_sequence BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(robot) REFERENCES robot (name)
);
CREATE TABLE session (
    token_hash VARCHAR(64) NOT NULL,
    account VARCHAR(64) NOT NULL,
    csrf VARCHAR(64) NOT NULL,
    created VARCHAR(27) NOT NULL,
    expires VARCHAR(27) NOT NULL,
    PRIMARY KEY (token_hash),
    FOREIGN KEY(account) REFERENCES account (name)
);
