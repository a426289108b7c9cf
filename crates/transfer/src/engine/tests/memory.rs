//! A target in memory that can be told what to do wrong.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use tokio::sync::Notify;

use crate::{
    body::PartBody,
    engine::read::{hex, multipart_etag},
    job::JobId,
    journal::Journal,
    target::{Limits, PartReceipt, StoredObject, Target, TargetError, TargetErrorKind},
};

/// What one request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Nothing arrives.
    Network,
    /// It is done, but the answer is lost.
    AnswerLost,
    Busy,
    /// The service tells another mark than that of what was sent.
    WrongEtag,
    /// The service forgets all uploads.
    Forget,
    Unauthorized,
}

#[derive(Default)]
struct State {
    uploads: HashMap<String, BTreeMap<u32, Bytes>>,
    object: Option<(Vec<u8>, String)>,
    begun: u32,
    faults: VecDeque<Fault>,
    in_flight: u32,
    most_in_flight: u32,
    puts: Vec<u32>,
}

pub(super) struct Memory {
    pub(super) max_concurrent: u32,
    /// The first part is answered when another one is on its way beside it.
    pub(super) first_waits: bool,
    company: Notify,
    /// To look up whether a part that is sent had been acknowledged before.
    journal: Journal,
    job: JobId,
    state: Mutex<State>,
}

impl Memory {
    pub(super) fn new(journal: &Journal, job: JobId, faults: &[Fault]) -> Memory {
        let state = State {
            faults: faults.iter().copied().collect(),
            ..State::default()
        };
        Memory {
            max_concurrent: 10,
            first_waits: false,
            company: Notify::new(),
            journal: journal.clone(),
            job,
            state: Mutex::new(state),
        }
    }

    pub(super) fn object(&self) -> Option<Vec<u8>> {
        self.state
            .lock()
            .unwrap()
            .object
            .as_ref()
            .map(|(content, _)| content.clone())
    }

    pub(super) fn most_in_flight(&self) -> u32 {
        self.state.lock().unwrap().most_in_flight
    }

    pub(super) fn puts(&self) -> Vec<u32> {
        self.state.lock().unwrap().puts.clone()
    }

    pub(super) fn begun(&self) -> u32 {
        self.state.lock().unwrap().begun
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.state.lock().unwrap().uploads.len()
    }

    /// Parts of open uploads.
    pub(super) fn held(&self) -> usize {
        self.state.lock().unwrap().uploads.values().map(BTreeMap::len).sum()
    }

    pub(super) fn spoil_part(&self, number: u32) {
        let mut state = self.state.lock().unwrap();
        for parts in state.uploads.values_mut() {
            parts.insert(number, Bytes::from_static(b"something else"));
        }
    }

    pub(super) fn next_faults(&self, faults: &[Fault]) {
        self.state.lock().unwrap().faults = faults.iter().copied().collect();
    }

    pub(super) fn spoil_object(&self) {
        self.state.lock().unwrap().object.as_mut().unwrap().1 = "0".repeat(32);
    }

    /// One request: takes a moment, does its work (or not), and answers (or not).
    async fn request<T>(
        &self,
        work: impl FnOnce(&mut State, Fault) -> Result<T, TargetError>,
    ) -> Result<T, TargetError> {
        tokio::task::yield_now().await;
        let result = {
            let mut state = self.state.lock().unwrap();
            match state.faults.pop_front().unwrap_or(Fault::None) {
                Fault::Network => Err(fault(TargetErrorKind::Network)),
                Fault::Busy => Err(fault(TargetErrorKind::Busy)),
                Fault::Unauthorized => Err(fault(TargetErrorKind::Unauthorized)),
                Fault::AnswerLost => work(&mut state, Fault::None).and(Err(fault(TargetErrorKind::Network))),
                Fault::Forget => {
                    state.uploads.clear();
                    work(&mut state, Fault::None)
                }
                other => work(&mut state, other),
            }
        };
        tokio::task::yield_now().await;
        result
    }
}

fn fault(kind: TargetErrorKind) -> TargetError {
    TargetError {
        kind,
        code: "test_fault",
        params: BTreeMap::new(),
        retry_after: None,
    }
}

fn held<'a>(state: &'a mut State, upload_id: &str) -> Result<&'a mut BTreeMap<u32, Bytes>, TargetError> {
    state
        .uploads
        .get_mut(upload_id)
        .ok_or_else(|| fault(TargetErrorKind::NotFound))
}

fn receipt(number: u32, data: &[u8]) -> PartReceipt {
    PartReceipt {
        number,
        size: data.len() as u64,
        etag: hex(&Md5::digest(data)),
    }
}

#[async_trait]
impl Target for Memory {
    fn limits(&self) -> Limits {
        Limits {
            min_part: 1,
            max_part: 1 << 30,
            max_parts: 10_000,
            max_concurrent: self.max_concurrent,
            max_object: 1 << 40,
        }
    }

    async fn begin(&self, _key: &str) -> Result<String, TargetError> {
        self.request(|state, _| {
            state.begun += 1;
            let id = format!("upload-{}", state.begun);
            state.uploads.insert(id.clone(), BTreeMap::new());
            Ok(id)
        })
        .await
    }

    async fn parts(&self, _key: &str, upload_id: &str) -> Result<Vec<PartReceipt>, TargetError> {
        self.request(|state, fault| {
            let held = held(state, upload_id)?;
            let mut receipts: Vec<PartReceipt> = held.iter().map(|(number, data)| receipt(*number, data)).collect();
            if let (Fault::WrongEtag, Some(first)) = (fault, receipts.first_mut()) {
                first.etag = "0".repeat(32);
            }
            Ok(receipts)
        })
        .await
    }

    async fn uploads(&self, _key: &str) -> Result<Vec<String>, TargetError> {
        self.request(|state, _| Ok(state.uploads.keys().cloned().collect()))
            .await
    }

    async fn put_part(
        &self,
        _key: &str,
        upload_id: &str,
        number: u32,
        body: PartBody,
        md5: [u8; 16],
    ) -> Result<PartReceipt, TargetError> {
        let data = Bytes::from(body.collect::<Vec<Bytes>>().await.concat());
        let known = self.journal.parts(self.job).unwrap();
        assert!(
            known.iter().all(|part| part.receipt.number != number),
            "part {number} was acknowledged before"
        );
        let noted = self.journal.job(self.job).unwrap().unwrap().upload_id;
        assert_eq!(
            noted.as_deref(),
            Some(upload_id),
            "the upload's id must be on disk before a part is sent"
        );
        assert_eq!(<[u8; 16]>::from(Md5::digest(&data)), md5);
        let is_first = {
            let mut state = self.state.lock().unwrap();
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            state.puts.push(number);
            state.puts.len() == 1
        };
        if self.first_waits && is_first {
            // An engine that sends one after the other must fail the test, not hang it.
            _ = tokio::time::timeout(Duration::from_secs(20), self.company.notified()).await;
        } else {
            self.company.notify_one();
        }
        let result = self
            .request(|state, fault| {
                let mut receipt = receipt(number, &data);
                held(state, upload_id)?.insert(number, data);
                if fault == Fault::WrongEtag {
                    receipt.etag = "0".repeat(32);
                }
                Ok(receipt)
            })
            .await;
        self.state.lock().unwrap().in_flight -= 1;
        result
    }

    async fn complete(&self, _key: &str, upload_id: &str, parts: &[PartReceipt]) -> Result<(), TargetError> {
        self.request(|state, _| {
            let held = held(state, upload_id)?;
            let same = parts.iter().all(|part| {
                held.get(&part.number)
                    .is_some_and(|data| receipt(part.number, data) == *part)
            });
            if !same || parts.len() != held.len() {
                return Err(fault(TargetErrorKind::Rejected));
            }
            let md5s: Vec<[u8; 16]> = held.values().map(|data| Md5::digest(data).into()).collect();
            let content = held.values().flat_map(|data| data.to_vec()).collect();
            // Strict, unlike real servers: a repeated call finds no upload any more.
            state.uploads.remove(upload_id);
            state.object = Some((content, multipart_etag(md5s.iter())));
            Ok(())
        })
        .await
    }

    async fn abort(&self, _key: &str, upload_id: &str) -> Result<(), TargetError> {
        self.request(|state, _| {
            state.uploads.remove(upload_id);
            Ok(())
        })
        .await
    }

    async fn stored(&self, _key: &str) -> Result<Option<StoredObject>, TargetError> {
        self.request(|state, fault| {
            let object = state.object.as_ref();
            Ok(object.map(|(content, etag)| {
                let etag = if fault == Fault::WrongEtag {
                    "0".repeat(32)
                } else {
                    etag.clone()
                };
                StoredObject {
                    size: content.len() as u64,
                    etag,
                }
            }))
        })
        .await
    }
}
