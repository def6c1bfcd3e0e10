//! Rows that come slowly, one for each step of a clock.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, Semaphore, mpsc};

use super::tests::{Fixture, Still};
use super::*;
use crate::export::source::{Bindings, Cell, Row, Shape, Snapshot, Visitor};

const HOUR: Duration = Duration::from_secs(3_600);

/// A clock whose sleepers wake one by one, and that goes on by an hour when it is told to.
struct Steps {
    sleepers: Semaphore,
    hours: AtomicU64,
}

#[async_trait]
impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Still.now()
    }

    fn monotonic(&self) -> Duration {
        HOUR * u32::try_from(self.hours.load(Ordering::SeqCst)).unwrap()
    }

    async fn sleep(&self, _: Duration) {
        self.sleepers.acquire().await.unwrap().forget();
    }
}

/// Stand-in for a source: a row for each number that it is sent, and the number back once the row was taken.
struct Trickle {
    numbers: Arc<Mutex<mpsc::UnboundedReceiver<i64>>>,
    taken: mpsc::UnboundedSender<i64>,
}

struct Number(i64);

impl Row for Number {
    fn cell(&self, _: usize) -> Cell<'_> {
        Cell::Integer(self.0)
    }
}

impl Source for Trickle {
    fn name(&self) -> &str {
        "main"
    }

    fn open(&self, _: &dyn Clock, _: &CancellationToken) -> Result<Box<dyn Snapshot>, ExportError> {
        Ok(Box::new(Self {
            numbers: Arc::clone(&self.numbers),
            taken: self.taken.clone(),
        }))
    }
}

impl Snapshot for Trickle {
    fn read_at(&self) -> Timestamp {
        Still.now()
    }

    fn describe(&self, _: &str, _: &str) -> Result<Shape, ExportError> {
        unreachable!("nobody asks")
    }

    fn read(
        &self,
        _: &str,
        _: &str,
        _: &Bindings<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ExportError> {
        visitor.columns(&["id"])?;
        while let Some(number) = self.numbers.blocking_lock().blocking_recv() {
            visitor.row(&Number(number))?;
            self.taken.send(number).unwrap();
        }
        Ok(())
    }
}

const NUMBERS: &str = r#"
[[category]]
id = "numbers"
title = "Numbers"
source = "main"
query = "select id from users where tenant = :tenant"
[category.columns]
id = { type = "integer" }
"#;

#[tokio::test]
async fn rows_that_come_slowly_are_told_before_a_batch_is_full() {
    let mut fixture = Fixture::new(NUMBERS, "create table users (id integer, tenant text)").await;
    let (send, numbers) = mpsc::unbounded_channel();
    let (taken, mut rows) = mpsc::unbounded_channel();
    let numbers = Arc::new(Mutex::new(numbers));
    let source = Trickle { numbers, taken };
    let sources = &mut fixture.exporter.sources;
    sources.insert("main".to_owned(), Arc::new(source));
    let clock = Arc::new(Steps {
        sleepers: Semaphore::new(0),
        hours: AtomicU64::new(0),
    });
    fixture.exporter.parts.clock = Arc::clone(&clock) as _;

    let (sender, mut progress) = watch::channel(Progress::START);
    let mut job = fixture.job("acme", &["numbers"]);
    job.ttl = Some(HOUR);
    let run = fixture.exporter.run(job, sender, CancellationToken::new());
    let steps = async move {
        for number in 1..=3 {
            send.send(number).unwrap();
            rows.recv().await.unwrap();
            clock.hours.fetch_add(1, Ordering::SeqCst);
            clock.sleepers.add_permits(1);
            let told = progress.wait_for(|told| told.rows == number as u64);
            let in_time = tokio::time::timeout(Duration::from_secs(120), told).await;
            let told = in_time.expect("the row is told of").unwrap();
            assert_eq!(told.category.as_deref(), Some("numbers"));
        }
    };
    let (output, ()) = tokio::join!(run, steps);
    let output = output.unwrap();
    assert_eq!(output.categories["numbers"].rows, 3);
    // It can be downloaded for the whole hour, however long it took to read.
    assert_eq!(output.expires_at, Some(Still.now().plus(4 * HOUR)));
}
