//! Judgements of tables, beside the tools that the field judges them with.
