-- The QMS of the local plant: tables shaped after OCA's management system, plus the two that it
-- lacks: which lots a nonconformity names (by product code and lot number), and signatures.
create table res_users (
    id serial primary key,
    login text not null unique,
    name text not null
);

create table mgmtsystem_nonconformity_stage (
    id serial primary key,
    name text not null,
    state text not null check (state in ('draft', 'analysis', 'pending', 'open', 'done', 'cancel'))
);

create table mgmtsystem_nonconformity_severity (
    id serial primary key,
    name text not null unique
);

create table mgmtsystem_nonconformity (
    id serial primary key,
    ref text not null unique,
    partner_id integer,
    responsible_user_id integer references res_users,
    manager_user_id integer references res_users,
    user_id integer references res_users,
    description text not null,
    stage_id integer not null references mgmtsystem_nonconformity_stage,
    kanban_state text not null default 'normal' check (kanban_state in ('normal', 'done', 'blocked')),
    severity_id integer references mgmtsystem_nonconformity_severity,
    analysis text,
    immediate_action_id integer,
    action_comments text,
    evaluation_comments text,
    closing_date timestamp,
    company_id integer not null default 1,
    res_model text,
    res_id integer,
    create_uid integer references res_users,
    write_uid integer references res_users,
    create_date timestamp not null default (now() at time zone 'UTC'),
    write_date timestamp
);

create table nc_lot (
    id serial primary key,
    nonconformity_id integer not null references mgmtsystem_nonconformity,
    product_code text not null,
    lot_number text not null,
    unique (nonconformity_id, product_code, lot_number)
);

create table e_signature (
    id serial primary key,
    nonconformity_id integer not null references mgmtsystem_nonconformity,
    signer_login text not null,
    signer_name text not null,
    meaning text not null,
    signed_at timestamp with time zone not null,
    record_digest text
);

insert into res_users (id, login, name) values
    (1, 'system', 'System'),
    (2, 'quality.engineer', 'Quality engineer'),
    (3, 'quality.manager', 'Quality manager'),
    (4, 'inspector', 'Incoming inspector');
select setval('res_users_id_seq', 4);

insert into mgmtsystem_nonconformity_stage (id, name, state) values
    (1, 'Draft', 'draft'),
    (2, 'Analysis', 'analysis'),
    (3, 'Action plan pending', 'pending'),
    (4, 'In progress', 'open'),
    (5, 'Closed', 'done'),
    (6, 'Cancelled', 'cancel');
select setval('mgmtsystem_nonconformity_stage_id_seq', 6);

insert into mgmtsystem_nonconformity_severity (id, name) values
    (1, 'critical'),
    (2, 'major'),
    (3, 'minor'),
    (4, 'unfounded');
select setval('mgmtsystem_nonconformity_severity_id_seq', 4);

-- The reader of changes may see the published tables and nothing else.
grant usage on schema public to qms_cdc;
grant select on res_users, mgmtsystem_nonconformity_stage, mgmtsystem_nonconformity_severity,
    mgmtsystem_nonconformity, nc_lot, e_signature to qms_cdc;
create publication lotgate for table res_users, mgmtsystem_nonconformity_stage,
    mgmtsystem_nonconformity_severity, mgmtsystem_nonconformity, nc_lot, e_signature;
