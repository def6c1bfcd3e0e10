//! One node: a listener on a port, its connections, and their end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::door::Door;
use super::shared::Shared;

/// Breaks a node's connections, and ends it.
#[derive(Clone)]
pub(super) struct Switch {
    breaks: watch::Sender<()>,
    listening: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Switch {
    pub(super) fn drop_connections(&self) {
        self.breaks.send_replace(());
    }

    /// Ends the listener and all connections.
    pub(super) fn off(&self) -> Option<JoinHandle<()>> {
        let mut listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let ended = listening.take();
        if let Some(task) = &ended {
            task.abort();
        }
        self.drop_connections();
        ended
    }
}

pub(super) struct Node {
    number: usize,
    address: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    switch: Switch,
}

impl Node {
    pub(super) async fn start(
        number: usize,
        shared: Arc<Shared>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let ports = &mut *shared.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports[number] = address.port();
        let switch = Switch {
            breaks: watch::Sender::new(()),
            listening: Arc::default(),
        };
        let node = Self {
            number,
            address,
            shared: Arc::clone(&shared),
            tls,
            switch,
        };
        node.listen(listener);
        node
    }

    pub(super) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    pub(super) fn drop_connections(&self) {
        self.switch.drop_connections();
    }

    pub(super) async fn kill(&self) {
        if let Some(ended) = self.switch.off() {
            // Aborted; with it the port is free.
            let _ = ended.await;
        }
    }

    pub(super) async fn revive(&self) {
        self.kill().await;
        let listener = TcpListener::bind(self.address).await;
        self.listen(listener.expect("the port is still ours"));
    }

    fn listen(&self, listener: TcpListener) {
        let door = Arc::new(Door {
            node: self.number,
            shared: Arc::clone(&self.shared),
            switch: self.switch.clone(),
        });
        let (breaks, tls) = (self.switch.breaks.clone(), self.tls.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                door.shared.taken_connections.fetch_add(1, Ordering::SeqCst);
                let (door, tls) = (Arc::clone(&door), tls.clone());
                let mut broken = breaks.subscribe();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = broken.changed() => {}
                        () = talk(stream, tls, door) => {}
                    }
                });
            }
        });
        let mut listening = self
            .switch
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *listening = Some(task);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.switch.off();
    }
}

async fn talk(stream: TcpStream, tls: Option<TlsAcceptor>, door: Arc<Door>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, door).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, door).await;
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, door: Arc<Door>) {
    let answer = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    // As many calls at once as the server's own listener lets a connection make.
    let _ = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(100)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}
