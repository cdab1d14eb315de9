//! Built binaries, configured and operated as an operator would.

mod agent_crashes;
mod agent_downloader;
mod agent_hostile;
mod agent_real;
mod agent_update;
mod at_the_computer;
mod bad_input;
mod boundaries;
mod bundles;
mod deciding;
mod demo;
mod enrolling;
mod harness;
mod joining;
mod main_job;
mod publishing;
mod recovery;
mod revocation;
mod seats;
mod soap_client;
mod tampering;
mod unheard;
mod vendors;
mod windows;
