//! What only the operating system knows: this place, this moment, processes and users. One file per platform behind one interface.
