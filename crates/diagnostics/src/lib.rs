//! Problems a user can act on, drawn for a terminal or as JSON
