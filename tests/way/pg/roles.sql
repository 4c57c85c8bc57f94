-- The two logins of the tests: the gateway's own (member of headgate_reader) and an administrator's (of headgate_writer). They are
-- given their groups once conf/tenants.sql has made these.
CREATE ROLE headgate_gw LOGIN;
CREATE ROLE headgate_admin LOGIN;
