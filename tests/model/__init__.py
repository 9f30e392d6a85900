"""The compiler against a model of it that fits on a page: no SQL, no server.

    scalars   values of PostgreSQL's expression trees, for the few forms that drawn algebra uses
    zset      the meaning of every operator over bags (`Counter`)
    draw      random algebra over small tables

The one law everything rests on: model(derive(Q)) = model(Q, after) − model(Q, before).
"""
