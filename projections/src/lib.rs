//! Carnet's read models, folded from the events
