//! The config of a prepare: `pk.config.json` and `pk.config.yaml`.
