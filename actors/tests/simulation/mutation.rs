//! Faults put into what is simulated on purpose, to show that the checker sees what they lead to.

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing: the contracts are kept.
    None,
    /// The store appends wherever a stream stands.
    StoreIgnoresExpected,
    /// The store forgets some of what it acknowledged.
    StoreForgets,
    /// A runner publishes what it made, whatever has become of its attempt.
    RunnerIgnoresFencing,
    /// All attempts at an export write the same object.
    AttemptsShareKeys,
    /// A sweep removes whatever is old.
    SweepAsksNobody,
    /// Persons are held against limits that nobody set.
    LimitsAreIgnored,
    /// What is deleted stays.
    BucketKeepsDeleted,
}
