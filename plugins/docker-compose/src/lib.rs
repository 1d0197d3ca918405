//! The built-in `docker-compose` format.
