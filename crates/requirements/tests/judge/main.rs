//! The requirements from outside: whole reports, the edges of every rule, and the sentences for every code.

mod reports;
mod rules;
mod subjects;
mod texts;
