"""What a downstream server does: a complete synchronization, and every other call of servers."""

import base64
import hashlib
import struct
import time
import zlib

from client import MONITOR, UPDATES

SYNC = "/ServerSyncWebService/ServerSyncWebService.asmx"
NIL = "00000000-0000-0000-0000-000000000000"
NOW = "2026-11-21T08:00:00Z"


def unpack(cabinet):
    """The one file of a cabinet that is compressed by MSZIP, after MS-CAB and MS-MCI."""
    assert cabinet[:4] == b"MSCF"
    [first_file] = struct.unpack_from("<I", cabinet, 16)
    folders, files = struct.unpack_from("<HH", cabinet, 26)
    assert (folders, files) == (1, 1)
    at, blocks, method = struct.unpack_from("<IHH", cabinet, 36)
    size, offset = struct.unpack_from("<II", cabinet, first_file)
    name = cabinet[first_file + 16 :].split(b"\0")[0]
    assert (method, offset, name) == (1, 0, b"blob")
    content = b""
    for _ in range(blocks):
        packed, unpacked = struct.unpack_from("<HH", cabinet, at + 4)
        block = cabinet[at + 8 : at + 8 + packed]
        assert block[:2] == b"CK"
        content += zlib.decompressobj(-15, zdict=content[-32768:]).decompress(block[2:])
        at += 8 + packed
    assert len(content) == size
    return content.decode("utf-16-le")


def identity(update):
    return {"UpdateID": update.UpdateID, "RevisionNumber": update.RevisionNumber}


def authorize(client, machine="probe.example.com", account="6f1c2f6e-3f0b-4d3a-9b1e-0d2f6a1c5e12"):
    return client.call("auth", "GetAuthorizationCookie", accountName=machine, accountGuid=account)


def cookie_for(client, authorization, version="1.20"):
    cookies = {"AuthorizationCookie": [authorization]}
    return client.call("sync", "GetCookie", authCookies=cookies, protocolVersion=version)


def altered(cookie):
    """The same cookie but for one bit."""
    data = bytearray(cookie.EncryptedData)
    data[len(data) // 2] ^= 1
    return {"Expiration": cookie.Expiration, "EncryptedData": bytes(data)}


def check_authorization(client):
    config = client.call("sync", "GetAuthConfig")
    [plug_in] = config.AuthInfo.AuthPlugInInfo
    assert plug_in.PlugInID == "DssTargeting"
    assert plug_in.ServiceUrl == "DssAuthWebService/DssAuthWebService.asmx"
    assert client.mangled("sync", "GetAuthConfig", UPDATES) == "InvalidParameters Envelope"
    refused = client.refused("auth", "GetAuthorizationCookie", accountName="?", accountGuid=NIL)
    assert refused == "InvalidParameters machineName", refused
    authorization = authorize(client)
    assert authorization.PlugInId == "DssTargeting"
    forged = {"PlugInId": "DssTargeting", "CookieData": authorization.CookieData[::-1]}
    refused = client.refused(
        "sync", "GetCookie", authCookies={"AuthorizationCookie": [forged]}, protocolVersion="1.20"
    )
    assert refused == "InvalidAuthorizationCookie", refused
    refused = client.refused(
        "sync", "GetCookie", authCookies={"AuthorizationCookie": [authorization]},
        protocolVersion="new",
    )
    assert refused == "InvalidParameters protocolVersion", refused
    cookie = cookie_for(client, authorization)
    life = cookie.Expiration.timestamp() - time.time()
    assert 3 * 3600 < life < 5 * 3600, life
    return cookie


def check_catalog(client, cookie, expected):
    """Everything by lists and batches, as servers get it; each document is byte for byte ours."""
    config = client.call("sync", "GetConfigData", cookie=cookie)
    assert config.MaxNumberOfUpdatesPerRequest == 100 and config.ProtocolVersion == "1.20"
    again = client.call("sync", "GetConfigData", cookie=cookie, configAnchor=config.NewConfigAnchor)
    assert again.LanguageUpdateList is None
    client.check_order_matters("sync")
    listed, anchors = {}, {}
    for is_config in (True, False):
        answer = client.call(
            "sync", "GetRevisionIdList", cookie=cookie,
            filter={"GetConfig": is_config, "Get63LanguageOnly": False},
        )
        anchors[is_config] = answer.Anchor
        listed[is_config] = [identity(u) for u in (answer.NewRevisions or NONE).UpdateIdentity]
    categories = {"Category", "Detectoid"}
    for is_config, ids in listed.items():
        found = {(u["UpdateID"], u["RevisionNumber"]) for u in ids}
        assert len(found) == len(ids)
        wanted = {
            (d["id"], d["revision"]) for d in expected if (d["kind"] in categories) == is_config
        }
        assert found == wanted, found ^ wanted
    check_documents(client, cookie, listed[True] + listed[False], expected)
    for is_config, anchor in anchors.items():
        answer = client.call(
            "sync", "GetRevisionIdList", cookie=cookie,
            filter={"Anchor": anchor, "GetConfig": is_config, "Get63LanguageOnly": False},
        )
        assert not (answer.NewRevisions or NONE).UpdateIdentity
    return listed, anchors[False]


class NONE:
    UpdateIdentity = []


def check_documents(client, cookie, ids, expected):
    by_id = {(d["id"], d["revision"]): d for d in expected}
    compressed = 0
    for start in range(0, len(ids), 100):
        batch = ids[start : start + 100]
        data = client.call(
            "sync", "GetUpdateData", cookie=cookie, updateIds={"UpdateIdentity": batch}
        )
        updates = data.updates.ServerSyncUpdateData
        assert [identity(u.Id) for u in updates] == batch
        digests = set()
        for update in updates:
            document = by_id[update.Id.UpdateID, update.Id.RevisionNumber]
            text = update.XmlUpdateBlob
            if text is None:
                compressed += 1
                text = unpack(update.XmlUpdateBlobCompressed)
            found = hashlib.sha256(text.encode()).hexdigest()
            assert found == document["sha256"], update.Id.UpdateID
            files = update.FileDigestList.base64Binary if update.FileDigestList else []
            wanted = [file["sha1"] for file in document["files"]]
            assert [digest.hex() for digest in files] == wanted
            digests |= set(wanted)
        urls = data.fileUrls.ServerSyncUrlData if data.fileUrls else []
        assert {url.FileDigest.hex() for url in urls} == digests
    assert compressed > 0, "no document was large enough to be compressed"


def check_filter(client, cookie, expected):
    """One product: what belongs to it, and nothing else."""
    product, classification = expected["filter"]
    answer = client.call(
        "sync", "GetRevisionIdList", cookie=cookie,
        filter={
            "GetConfig": False, "Get63LanguageOnly": False,
            "Categories": {"IdAndDelta": [{"Id": product, "Delta": False}]},
            "Classifications": {"IdAndDelta": [{"Id": classification, "Delta": False}]},
            "Languages": {"LanguageAndDelta": [{"Id": 1033, "Delta": False}]},
        },
    )
    found = {u.UpdateID for u in answer.NewRevisions.UpdateIdentity}
    assert found == set(expected["filtered"]), found ^ set(expected["filtered"])


def check_faults(client, cookie, listed, anchor):
    one = listed[False][0]
    updates = {"UpdateIdentity": [one]}
    forged = altered(cookie)
    calls = {
        "GetConfigData": {},
        "GetRevisionIdList": {"filter": {"GetConfig": False, "Get63LanguageOnly": False}},
        "GetUpdateData": {"updateIds": updates},
        "GetUpdateDecryptionData": {"updateIds": updates},
        "DownloadFiles": {"fileDigestList": {"base64Binary": [bytes(20)]}},
        "GetDeployments": {"syncAnchor": anchor},
        "GetRelatedRevisionsForUpdates": {"updateIDs": {"guid": [NIL]}},
    }
    for operation, arguments in calls.items():
        for bad in (forged, None):
            refused = client.refused("sync", operation, cookie=bad, **arguments)
            assert refused == "InvalidCookie", (operation, refused)

    def refused(operation, **arguments):
        return client.refused("sync", operation, cookie=cookie, **arguments)

    garbage = {"Anchor": "garbage", "GetConfig": False, "Get63LanguageOnly": False}
    assert refused("GetRevisionIdList", filter=garbage) == "InvalidParameters filter"
    many = {"UpdateIdentity": [one] * 101}
    assert refused("GetUpdateData", updateIds=many) == "InvalidParameters updateIds"
    wrong = {"UpdateIdentity": [one, {"UpdateID": one["UpdateID"], "RevisionNumber": 99_999}]}
    assert refused("GetUpdateData", updateIds=wrong) == "InternalServerError"
    assert refused("GetUpdateDecryptionData", updateIds=many) == "InvalidParameters updateIds"
    assert refused("GetDeployments", syncAnchor="") == "InvalidParameters syncAnchor"
    digest = bytes(range(20))
    missing = "FileDigestsMissing " + base64.b64encode(digest).decode()
    assert refused("DownloadFiles", fileDigestList={"base64Binary": [digest]}) == missing
    other = cookie_for(client, authorize(client), "2.0")
    wrong = client.refused("sync", "GetConfigData", cookie=other)
    assert wrong == "IncompatibleProtocolVersion", wrong


def check_rest(client, cookie, listed, anchor, files):
    updates = {"UpdateIdentity": listed[False][:100]}
    keys = client.call("sync", "GetUpdateDecryptionData", cookie=cookie, updateIds=updates)
    assert not keys
    told = client.call("sync", "GetDeployments", cookie=cookie, syncAnchor=anchor)
    names = [group.Name for group in told.Groups.ServerSyncTargetGroup]
    assert names[:2] == ["All Computers", "Unassigned Computers"], names
    digests = [bytes.fromhex(file["sha1"]) for file in files if file["is_here"]]
    client.call(
        "sync", "DownloadFiles", cookie=cookie, fileDigestList={"base64Binary": digests[:100]}
    )
    related = client.call(
        "sync", "GetRelatedRevisionsForUpdates", cookie=cookie, updateIDs={"guid": [NIL]}
    )
    assert not related
    for service in ("sync", "auth", "rollup"):
        health = client.call(service, "Ping", pingLevel=0)
        assert health.SuccessFlag
        refused = client.mangled(service, "Ping", MONITOR)
        assert refused == "InvalidParameters Envelope", refused


def check_drivers(client, cookie):
    """No description has these: MS-WSUSSS 3.1.4.7 and 3.1.4.8. A server without drivers."""
    expires = cookie.Expiration.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data = base64.b64encode(cookie.EncryptedData).decode()
    credential = (
        f"<cookie><Expiration>{expires}</Expiration>"
        f"<EncryptedData>{data}</EncryptedData></cookie>"
    )

    def ask(operation, content):
        return client.own(SYNC, UPDATES, operation, credential + content)

    def refused(operation, content):
        return client.own_refused(SYNC, UPDATES, operation, credential + content)

    empty = "<filter><Categories/><ComputerIds/><PnpHardwareIds/></filter>"
    [result] = ask("GetDriverIdList", empty)
    assert result.tag == f"{{{UPDATES}}}GetDriverIdListResult"
    names = [child.tag.removeprefix(f"{{{UPDATES}}}") for child in result]
    assert names == ["Anchor", "NewRevisions", "NewDriverSets", "RemovedDriverSets"], names
    assert result[0].text and not any(len(child) for child in result)
    later = f"<filter><Anchor>{result[0].text}</Anchor><Categories/><PnpHardwareIds/></filter>"
    assert len(ask("GetDriverIdList", later)[0]) == 4
    device = "<HardwareIdAndDelta><Id>pci\\ven_8086</Id><Delta>false</Delta></HardwareIdAndDelta>"
    many = f"<filter><Categories/><ComputerIds/><PnpHardwareIds>{device}</PnpHardwareIds></filter>"
    assert refused("GetDriverIdList", many) == "InvalidParameters filter"
    bad = "<filter><Anchor>garbage</Anchor></filter>"
    assert refused("GetDriverIdList", bad) == "InvalidParameters filter"
    [result] = ask("GetDriverSetData", "<driverSets/>")
    assert [child.tag for child in result] == [f"{{{UPDATES}}}DriverSets"] and not len(result[0])
    assert refused("GetDriverSetData", "") == "InvalidParameters driverSets"
    some = f"<driverSets><guid>{NIL}</guid></driverSets>"
    assert refused("GetDriverSetData", some) == "TooManyIds driverSets"
    for operation in ("GetDriverIdList", "GetDriverSetData"):
        assert client.own_refused(SYNC, UPDATES, operation, empty) == "InvalidCookie"


def check_rollup(client):
    """Summaries of downstream servers are taken; details were not asked for."""
    cookie = {"Expiration": "9999-12-31T23:59:59.9999999Z"}
    config = client.call("rollup", "GetRollupConfiguration", cookie=cookie)
    refused = client.mangled("rollup", "GetRollupConfiguration", UPDATES)
    assert refused == "InvalidParameters Envelope", refused
    summary = {
        "OSMajorVersion": 10, "OSMinorVersion": 0, "OSBuildNumber": 26100,
        "OSServicePackMajorNumber": 0, "OSServicePackMinorNumber": 0, "OSLocale": "en-US",
        "SuiteMask": 256, "OldProductType": 1, "NewProductType": 48, "SystemMetrics": 0,
        "ProcessorArchitecture": "AMD64", "Count": 3,
    }
    counts = {
        name: 0 for name in (
            "UpdateCount DeclinedUpdateCount ApprovedUpdateCount NotApprovedUpdateCount "
            "UpdatesWithStaleUpdateApprovalsCount ExpiredUpdateCount "
            "CriticalOrSecurityUpdatesNotApprovedForInstallCount "
            "WsusInfrastructureUpdatesNotApprovedForInstallCount UpdatesWithClientErrorsCount "
            "UpdatesWithServerErrorsCount UpdatesNeedingFilesCount UpdatesNeededByComputersCount "
            "UpdatesUpToDateCount CustomComputerTargetGroupCount ComputerTargetCount "
            "ComputerTargetsNeedingUpdatesCount ComputerTargetsWithUpdateErrorsCount "
            "ComputersUpToDateCount"
        ).split()
    }
    server = {
        "ServerId": "00000000-0000-0000-0000-000000000007", "FullDomainName": "branch.example.com",
        "LastSyncTime": NOW, "ParentServerId": config.ServerId, "Version": "10.0.26100.1",
        "IsReplica": False, "LastRollupTime": NOW, "ServerSummary": counts,
    }

    def servers(summaries):
        clients = {"DownstreamServerRollupClientSummary": [summary] * summaries}
        return {"DownstreamServerRollupInfo": [{**server, "ClientSummaries": clients}]}

    common = {"cookie": cookie, "clientTime": NOW}
    client.call("rollup", "RollupDownstreamServers", **common, downstreamServers=servers(2))
    many = config.RollupDownstreamServersMaxBatchSize + 1
    refused = client.refused(
        "rollup", "RollupDownstreamServers", **common, downstreamServers=servers(many)
    )
    assert refused == "InvalidParameters downstreamServers", refused
    check_details(client, cookie, config)


def check_details(client, cookie, config):
    parent, common = config.ServerId, {"cookie": cookie, "clientTime": NOW}
    calls = {
        "RollupComputers": {**common, "computers": None},
        "GetOutOfSyncComputers": {"cookie": cookie, "parentServerId": parent},
        "RollupComputerStatus": {**common, "parentServerId": parent, "computers": None},
    }
    for operation, arguments in calls.items():
        assert not config.DoDetailedRollup
        refused = client.refused("rollup", operation, **arguments)
        assert refused == "InvalidParameters DoDetailedRollup", refused


def run(client, expected):
    cookie = check_authorization(client)
    listed, anchor = check_catalog(client, cookie, expected["documents"])
    check_filter(client, cookie, expected)
    check_faults(client, cookie, listed, anchor)
    check_rest(client, cookie, listed, anchor, expected["files"])
    check_drivers(client, cookie)
    check_rollup(client)
    counts = {is_config: len(ids) for is_config, ids in listed.items()}
    print(f"a server got {counts[True]} categories and {counts[False]} updates")
