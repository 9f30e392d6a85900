#!/bin/sh
# An ordinary owner with a database, when the server is made: Trickle needs no superuser.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$OWNER_PASSWORD" --username=postgres --dbname=postgres <<'SQL'
CREATE ROLE shop_owner LOGIN PASSWORD :'password';
CREATE DATABASE shop OWNER shop_owner;
SQL
