//! How the service stands, read for the board: each reading may fail, and the board then says so.

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::ids::{NodeId, Timestamp};
use carnet_projections::operations::{
    ClosedTenant, DepthPoint, Exemption, Grain, Intake, NodeRow, Overview, SeriesPoint, Stuck,
};
use carnet_projections::{Error, Status};
use serde::{Deserialize, Serialize};

use crate::export::StorageView;
use crate::http::health;
use crate::http::state::AppState;

/// Rows of the board's tables.
const ROWS: u32 = 20;

/// What the charts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Range {
    /// The last hour by minute.
    #[default]
    Hour,
    /// The last day by hour.
    Day,
}

impl Range {
    pub(super) const ALL: [Self; 2] = [Self::Hour, Self::Day];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn grain(self) -> Grain {
        match self {
            Self::Hour => Grain::Minute,
            Self::Day => Grain::Hour,
        }
    }

    fn step(self) -> Duration {
        match self {
            Self::Hour => Duration::from_secs(60),
            Self::Day => Duration::from_secs(60 * 60),
        }
    }

    fn points(self) -> u32 {
        match self {
            Self::Hour => 60,
            Self::Day => 24,
        }
    }

    /// When each point begins, the last one being the one that `now` is in.
    pub(super) fn times(self, now: Timestamp) -> Vec<Timestamp> {
        let step = i64::try_from(self.step().as_millis()).unwrap_or(i64::MAX);
        let last = Timestamp::from_millis(now.as_millis().div_euclid(step) * step);
        (0..self.points())
            .rev()
            .map(|back| last.minus(self.step() * back))
            .collect()
    }
}

/// How the service stands at a moment.
#[derive(Debug, Clone)]
pub(super) struct Now {
    /// That moment.
    pub(super) at: Timestamp,
    /// What the charts show.
    pub(super) range: Range,
    /// What `/readyz` asks, and what is wrong with it.
    pub(super) checks: BTreeMap<&'static str, Option<String>>,
    /// What the read models say; `None`: they can't be read.
    pub(super) figures: Option<Figures>,
    /// How far the read models are.
    pub(super) projections: Status,
    /// Every storage of artifacts.
    pub(super) storages: Vec<StorageView>,
    /// How far this node's clock is off, if so far that it decides nothing.
    pub(super) clock_skew_ms: Option<i64>,
    /// This node.
    pub(super) node: NodeId,
    /// How long a claim holds without a sign of life.
    pub(super) lease: Duration,
    /// Exports that a node runs at once.
    pub(super) max_running: u32,
}

/// What the read models say.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) overview: Overview,
    pub(super) stuck: Stuck,
    pub(super) nodes: Vec<NodeRow>,
    pub(super) intake: Intake,
    pub(super) closed: Vec<ClosedTenant>,
    pub(super) exemptions: Vec<Exemption>,
    pub(super) series: Vec<SeriesPoint>,
    pub(super) depth: Vec<DepthPoint>,
}

impl Now {
    /// Reads everything.
    pub(super) async fn read(state: &AppState, range: Range) -> Self {
        let at = state.clock.now();
        let lease = state.config.workers.lease.get();
        let (checks, figures, projections) = tokio::join!(
            checks(state),
            Figures::read(state, at, range, lease),
            state.projections.status(at),
        );
        let figures = figures.inspect_err(|error| {
            tracing::warn!(error = %error, "the board's figures can't be read");
        });
        Self {
            at,
            range,
            checks,
            figures: figures.ok(),
            projections,
            storages: state.storages.view(),
            clock_skew_ms: state.system.clock_skew(),
            node: state.system.node(),
            lease,
            max_running: state.config.workers.max_running,
        }
    }
}

impl Figures {
    async fn read(
        state: &AppState,
        at: Timestamp,
        range: Range,
        lease: Duration,
    ) -> Result<Self, Error> {
        let operations = state.projections.operations();
        let from = range.times(at).first().copied().unwrap_or(at);
        let to = at.plus(range.step());
        let (overview, stuck, nodes, intake, closed, exemptions, series, depth) = tokio::try_join!(
            operations.overview(at),
            operations.stuck(at, lease, ROWS),
            operations.nodes(ROWS),
            operations.intake(),
            operations.closed_tenants(ROWS),
            operations.exemptions(Some(at), ROWS),
            operations.series(range.grain(), from, to),
            operations.depth(range.grain(), from, to),
        )?;
        Ok(Self {
            overview,
            stuck,
            nodes,
            intake,
            closed,
            exemptions,
            series,
            depth,
        })
    }
}

async fn checks(state: &AppState) -> BTreeMap<&'static str, Option<String>> {
    let outcomes = health::outcomes(state).await.into_iter();
    outcomes
        .map(|(name, outcome)| (name, outcome.err()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_point_is_the_one_that_now_is_in() {
        let now = Timestamp::from_millis(7 * 3_600_000 + 61_500);
        let hour = Range::Hour.times(now);
        assert_eq!(hour.len(), 60);
        assert_eq!(hour[59], Timestamp::from_millis(7 * 3_600_000 + 60_000));
        let day = Range::Day.times(now);
        assert_eq!(day.len(), 24);
        assert_eq!(day[23], Timestamp::from_millis(7 * 3_600_000));
    }
}
