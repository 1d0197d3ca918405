//! From an output of the config to a file on the disk.
