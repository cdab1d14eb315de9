//! What managed computers are made of.

use model::{
    Computer, Disk, Form, Hardware, Interface, Inventory, InventoryRecord, OperatingSystem,
    Software,
};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use super::Answer;
use super::noun::CLIENT;
use crate::admin::View;

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetInventoryRequest,
) -> Answer<pb::GetInventoryResponse> {
    let (_, client) = CLIENT.found(v, &asked.id)?;
    let Some((record, inventory)) = v.inventory(client.id)? else {
        return Err(site_db::Error::NotFound { what: "inventory of client", id: asked.id }.into());
    };
    let InventoryRecord { client: id, collected_at, .. } = record;
    let Inventory { computer, software } = inventory;
    let Computer { hardware, os, disks, interfaces, is_restart_pending } = computer;
    let Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory } = hardware;
    let OperatingSystem {
        id: os,
        version: os_version,
        kernel,
        build,
        edition,
        architecture,
        installed_on,
        started_at,
        domain,
        form,
        time_zone,
    } = os;
    Ok(pb::GetInventoryResponse {
        id: id.to_string(),
        name: client.name,
        collected_at: Some(wire_time(collected_at)),
        manufacturer,
        model,
        serial,
        firmware,
        cpu,
        cpu_count,
        memory,
        os,
        os_version,
        kernel,
        build,
        edition,
        architecture,
        installed_on: installed_on.map(wire_time),
        started_at: started_at.map(wire_time),
        domain,
        form: form.map_or("", Form::as_str).to_owned(),
        time_zone,
        restart_pending: is_restart_pending,
        disks: disks.into_iter().map(disk_row).collect(),
        interfaces: interfaces.into_iter().map(interface_row).collect(),
        software: software.into_iter().map(software_row).collect(),
    })
}

fn disk_row((name, disk): (String, Disk)) -> pb::InventoryDisk {
    let Disk { size, free } = disk;
    pb::InventoryDisk { name, size, free }
}

fn interface_row((name, interface): (String, Interface)) -> pb::InventoryInterface {
    let Interface { mac, addresses } = interface;
    let addresses = addresses.iter().map(ToString::to_string).collect();
    pb::InventoryInterface { name, mac, addresses }
}

fn software_row(software: Software) -> pb::InventorySoftware {
    let Software { name, version, architecture, origin } = software;
    pb::InventorySoftware { name, version, architecture, origin: origin.as_str().to_owned() }
}
