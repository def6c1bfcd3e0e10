//! Black-box tests of the service, one binary.
