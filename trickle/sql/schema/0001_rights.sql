-- Nothing for PUBLIC: stream tables are defined by the catalog's owner and its members. Applications need rights on
-- their own tables only; capture functions run with the rights of the catalog's owner.
REVOKE ALL ON SCHEMA pgtrickle, pgtrickle_changes, pgtrickle_programs FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA pgtrickle, pgtrickle_changes FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pgtrickle FROM PUBLIC;
