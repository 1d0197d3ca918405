//! Reserves the ports of a whole stack and writes its files.
