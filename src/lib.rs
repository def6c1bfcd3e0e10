//! Carnet
