use crate::support::Schema;

carnet_events::conformance_suite!(Schema::new());
