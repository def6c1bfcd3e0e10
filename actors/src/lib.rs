//! Carnet's actors: admission, export life cycle, dispatch and timers
