//! Carnet's domain, event codec and event stores
