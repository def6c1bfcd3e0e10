//! The pages, as a browser without scripts meets them; the files mirror the desks.

mod audit;
mod operator;
mod portal;
