"""Millions of photos: shards of a plan, detected by Ray's actors, each shard one Parquet file. Not in the paper."""
