//! Rules as iptables and nftables have them in common, and what becomes of the packets of one login. A condition that
//! the disk does not decide is `Maybe`, and both ways are followed.

use std::collections::BTreeMap;

use crate::{Evidence, facts::Reach};

/// Most jumps that lead from chain to chain (nftables: `NFT_JUMP_STACK_SIZE`).
const MAX_JUMPS: u32 = 16;

/// Interfaces that are never the network card of a VM, by how their names begin.
const INNER_INTERFACES: &[&str] = &[
    "docker",
    "virbr",
    "veth",
    "tun",
    "tap",
    "wg",
    "tailscale",
    "cni",
    "flannel",
    "cali",
    "lxdbr",
    "lxcbr",
    "podman",
    "vnet",
];

/// Is a condition met?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    No,
    Maybe,
    Yes,
}

impl Truth {
    fn of(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

/// The packets of one login, in their order. A firewall that lets the first one in may still keep back the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// SYN from outside.
    Request,
    /// SYN and ACK to the outside.
    Answer,
    /// ACK from outside, and all that follows.
    More,
}

/// Where the login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// An address that no rule names.
    Anywhere,
    /// Any address that suits a rule.
    Somewhere,
}

/// One packet of a login over IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) stage: Stage,
    /// The SSH server's port.
    pub(super) port: u16,
    pub(super) from: From,
}

/// Which end of a packet a condition speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Destination,
}

/// States of a connection (`nf_conntrack`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    New,
    Established,
    Other,
}

/// A range of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) address: [u8; 4],
    /// Leading bits that are fixed, 0 to 32.
    pub(super) len: u8,
}

/// What a rule asks of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    /// Decided while it was read.
    Fixed(Truth),
    /// One of these ranges, both ends included.
    Port(End, Vec<(u16, u16)>),
    /// One of these addresses.
    Address(End, Vec<Prefix>),
    /// The address is one of the machine's own.
    Local(End),
    /// The interface it came in by; `+` or `*` at the end stands for anything.
    InInterface(String),
    /// The interface it goes out by.
    OutInterface(String),
    /// One of these states.
    State(Vec<State>),
    /// Of the flags `mask`, exactly `set` are set (bits of RFC 9293: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32).
    Flags { mask: u8, set: u8 },
}

/// A condition, as it stands or turned round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) asks: Match,
    pub(super) negated: bool,
}

impl Condition {
    pub(super) fn new(asks: Match) -> Self {
        Self { asks, negated: false }
    }

    pub(super) fn fixed(truth: Truth) -> Self {
        Self::new(Match::Fixed(truth))
    }

    fn holds(&self, packet: Packet) -> Truth {
        let truth = self.asks.holds(packet);
        if self.negated { truth.not() } else { truth }
    }
}

impl Match {
    fn holds(&self, packet: Packet) -> Truth {
        let is_answer = packet.stage == Stage::Answer;
        match self {
            Self::Fixed(truth) => *truth,
            Self::Port(end, ranges) if is_own(*end, is_answer) => {
                Truth::of(ranges.iter().any(|(from, to)| (*from..=*to).contains(&packet.port)))
            }
            Self::Port(_, ranges) => client_port(ranges),
            Self::Address(end, prefixes) if is_own(*end, is_answer) => own_address(prefixes),
            Self::Address(_, prefixes) => client_address(prefixes, packet.from),
            Self::Local(end) => Truth::of(is_own(*end, is_answer)),
            Self::InInterface(name) => {
                if is_answer {
                    Truth::No
                } else {
                    interface(name)
                }
            }
            Self::OutInterface(name) => {
                if is_answer {
                    interface(name)
                } else {
                    Truth::No
                }
            }
            Self::State(states) => {
                let state = if packet.stage == Stage::Request {
                    State::New
                } else {
                    State::Established
                };
                Truth::of(states.contains(&state))
            }
            Self::Flags { mask, set } => {
                let flags: u8 = match packet.stage {
                    Stage::Request => 0x02,
                    Stage::Answer => 0x12,
                    Stage::More => 0x10,
                };
                // Data packets may carry PSH as well.
                let open = if packet.stage == Stage::More { mask & 0x08 } else { 0 };
                let suits = flags & mask & !open == set & !open;
                if suits && open != 0 {
                    Truth::Maybe
                } else {
                    Truth::of(suits)
                }
            }
        }
    }
}

fn is_own(end: End, is_answer: bool) -> bool {
    (end == End::Destination) != is_answer
}

/// A client's port is one that its system chose: never below 1024 (RFC 6335, section 6).
fn client_port(ranges: &[(u16, u16)]) -> Truth {
    if ranges.iter().any(|(from, to)| *from <= 1024 && *to == u16::MAX) {
        Truth::Yes
    } else if ranges.iter().all(|(_, to)| *to < 1024) {
        Truth::No
    } else {
        Truth::Maybe
    }
}

fn own_address(prefixes: &[Prefix]) -> Truth {
    // Loopback, multicast and broadcast (RFC 6890) are nobody's own.
    let is_own = |prefix: &Prefix| !(prefix.len >= 4 && (prefix.address[0] == 127 || prefix.address[0] >= 224));
    if prefixes.iter().any(|prefix| prefix.len == 0) {
        Truth::Yes
    } else if prefixes.iter().any(is_own) {
        Truth::Maybe
    } else {
        Truth::No
    }
}

fn client_address(prefixes: &[Prefix], from: From) -> Truth {
    let widest = prefixes.iter().map(|prefix| prefix.len).min();
    match widest {
        Some(0) => Truth::Yes,
        None => Truth::No,
        // A sixteenth of all addresses and more is no longer "some".
        Some(..=4) => Truth::Maybe,
        Some(_) => match from {
            From::Anywhere => Truth::No,
            From::Somewhere => Truth::Maybe,
        },
    }
}

fn interface(name: &str) -> Truth {
    if matches!(name, "+" | "*") {
        Truth::Yes
    } else if name == "lo" || INNER_INTERFACES.iter().any(|inner| name.starts_with(inner)) || name.starts_with("br-") {
        Truth::No
    } else {
        Truth::Maybe
    }
}

/// What a rule does with a packet that meets its conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Accept,
    /// Also where the sender is told.
    Drop,
    /// Back to the chain that jumped here; the policy of a base chain.
    Return,
    /// Nothing that decides.
    Continue,
    Jump(String),
    Goto(String),
    /// Something that is not known here.
    Unclear,
}

/// One rule and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Condition>,
    pub(super) action: Action,
    pub(super) evidence: Evidence,
}

/// Where the kernel asks a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    /// Packets from outside: `prerouting`, `input`, and `ingress` before them.
    In,
    /// The same, but only the first packet of a connection: address translation.
    InNew,
    /// Packets of the machine itself.
    Out,
    /// Packets that only pass through, or whatever else does not concern a login.
    Elsewhere,
}

/// A chain that the kernel asks, and what becomes of packets that no rule of it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) hook: Hook,
    /// True: they are let through.
    pub(super) accepts: bool,
    /// Where the policy stands.
    pub(super) evidence: Evidence,
}

/// Rules in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<Rule>,
}

/// All chains, by family, table and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ruleset {
    pub(super) chains: BTreeMap<String, Chain>,
    /// The first statement that was not understood at all.
    pub(super) unclear: Option<Evidence>,
}

/// What a set of rules answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// `None`: the disk alone does not tell.
    pub(super) reach: Option<Reach>,
    /// The rule that decides, or that is not understood.
    pub(super) evidence: Option<Evidence>,
}

/// What may become of a packet, each with the first rule that does it.
#[derive(Debug, Clone, Default)]
struct Outcomes {
    accept: Option<Evidence>,
    drop: Option<Evidence>,
    /// The end of the chain may be reached.
    through: bool,
    /// A rule had a say that is not understood.
    unclear: Option<Evidence>,
}

impl Ruleset {
    /// Notes the first statement that is not understood.
    pub(super) fn note_unclear(&mut self, evidence: Evidence) {
        self.unclear.get_or_insert(evidence);
    }

    /// Who gets through to a port.
    pub(super) fn reach(&self, port: u16) -> Answer {
        if let Some(evidence) = &self.unclear {
            return Answer {
                reach: None,
                evidence: Some(evidence.clone()),
            };
        }
        let anywhere = self.login(port, From::Anywhere);
        if anywhere.reach != Some(Reach::Nobody) {
            return anywhere;
        }
        match self.login(port, From::Somewhere).reach {
            Some(Reach::Nobody) => anywhere,
            // Some address may get through where no address in general does: only what a rule says of addresses differs.
            _ => Answer {
                reach: Some(Reach::SomeAddresses),
                ..anywhere
            },
        }
    }

    /// Everybody, nobody, or not known: all packets of a login must pass all chains.
    fn login(&self, port: u16, from: From) -> Answer {
        let mut deciding = None;
        let mut unclear = None;
        for stage in [Stage::Request, Stage::Answer, Stage::More] {
            let packet = Packet { stage, port, from };
            let mut memory = BTreeMap::new();
            for (name, chain) in &self.chains {
                let Some(base) = &chain.base else { continue };
                let asked = match base.hook {
                    Hook::In => stage != Stage::Answer,
                    Hook::InNew => stage == Stage::Request,
                    Hook::Out => stage == Stage::Answer,
                    Hook::Elsewhere => false,
                };
                if !asked {
                    continue;
                }
                let mut outcomes = self.follow(name, packet, 0, &mut memory);
                if outcomes.through {
                    let decided = if base.accepts {
                        &mut outcomes.accept
                    } else {
                        &mut outcomes.drop
                    };
                    decided.get_or_insert_with(|| base.evidence.clone());
                }
                match (outcomes.drop, outcomes.accept, outcomes.unclear) {
                    (Some(dropped), None, None) => {
                        return Answer {
                            reach: Some(Reach::Nobody),
                            evidence: Some(dropped),
                        };
                    }
                    (None, accepted, None) => {
                        if stage == Stage::Request && base.hook == Hook::In {
                            deciding = deciding.or(accepted);
                        }
                    }
                    (dropped, _, doubt) => unclear = unclear.or(doubt).or(dropped),
                }
            }
        }
        match unclear {
            Some(evidence) => Answer {
                reach: None,
                evidence: Some(evidence),
            },
            None => Answer {
                reach: Some(Reach::Everybody),
                evidence: deciding,
            },
        }
    }

    /// What one chain may do with a packet. Each chain is followed once for each packet.
    fn follow(
        &self,
        name: &str,
        packet: Packet,
        depth: u32,
        memory: &mut BTreeMap<String, Option<Outcomes>>,
    ) -> Outcomes {
        if let Some(known) = memory.get(name) {
            // A chain that leads to itself is none that a kernel would load.
            return known.clone().unwrap_or_else(Outcomes::not_known);
        }
        let Some(chain) = self.chains.get(name).filter(|_| depth <= MAX_JUMPS) else {
            return Outcomes::not_known();
        };
        memory.insert(name.to_owned(), None);
        let outcomes = self.follow_rules(&chain.rules, packet, depth, memory);
        memory.insert(name.to_owned(), Some(outcomes.clone()));
        outcomes
    }

    fn follow_rules(
        &self,
        rules: &[Rule],
        packet: Packet,
        depth: u32,
        memory: &mut BTreeMap<String, Option<Outcomes>>,
    ) -> Outcomes {
        let mut all = Outcomes::default();
        for rule in rules {
            let truth = rule.holds(packet);
            if truth == Truth::No {
                continue;
            }
            let goes_on = match &rule.action {
                Action::Continue => true,
                Action::Accept => {
                    all.accept.get_or_insert_with(|| rule.evidence.clone());
                    false
                }
                Action::Drop => {
                    all.drop.get_or_insert_with(|| rule.evidence.clone());
                    false
                }
                Action::Return => {
                    all.through = true;
                    false
                }
                Action::Jump(to) => all.add(self.follow(to, packet, depth + 1, memory), &rule.evidence),
                Action::Goto(to) => {
                    let through = all.add(self.follow(to, packet, depth + 1, memory), &rule.evidence);
                    all.through |= through;
                    false
                }
                Action::Unclear => {
                    all.unclear.get_or_insert_with(|| rule.evidence.clone());
                    true
                }
            };
            if !goes_on && truth == Truth::Yes {
                return all;
            }
        }
        all.through = true;
        all
    }
}

impl Rule {
    fn holds(&self, packet: Packet) -> Truth {
        let truths = self.conditions.iter().map(|condition| condition.holds(packet));
        truths.fold(Truth::Yes, |all, one| match (all, one) {
            (Truth::No, _) | (_, Truth::No) => Truth::No,
            (Truth::Maybe, _) | (_, Truth::Maybe) => Truth::Maybe,
            _ => Truth::Yes,
        })
    }
}

impl Outcomes {
    /// A chain that is not there, or that leads to itself.
    fn not_known() -> Self {
        Self {
            through: true,
            unclear: Some(Evidence::default()),
            ..Self::default()
        }
    }

    /// Adds what another chain may do, reached from a line; true when its end may be reached.
    fn add(&mut self, there: Self, from: &Evidence) -> bool {
        self.accept = self.accept.take().or(there.accept);
        self.drop = self.drop.take().or(there.drop);
        let unclear = there
            .unclear
            .map(|at| if at == Evidence::default() { from.clone() } else { at });
        self.unclear = self.unclear.take().or(unclear);
        there.through
    }
}
