"""What a Windows computer does: a scan to its end, details, files, a report, and the other calls."""

import hashlib
import time
import uuid

from client import COMPUTERS, SERVICES, UPDATES
from lxml import etree
from servers import NIL, NOW, altered

# More than a catalog of this size can need.
STEPS_MAX = 20
ITSELF = str(uuid.uuid4())
COMPUTER = {
    "DnsName": "pc1.example.com", "OSMajorVersion": 10, "OSMinorVersion": 0,
    "OSBuildNumber": 26200, "OSServicePackMajorNumber": 0, "OSServicePackMinorNumber": 0,
    "OSLocale": "en-US", "ComputerManufacturer": "Acme", "ComputerModel": "Anvil",
    "BiosVersion": "1", "BiosName": "Acme", "BiosReleaseDate": "2026-01-02T00:00:00Z",
    "ProcessorArchitecture": "AMD64", "SuiteMask": 256, "OldProductType": 1,
    "NewProductType": 48, "SystemMetrics": 0, "ClientVersionMajorNumber": 10,
    "ClientVersionMinorNumber": 0, "ClientVersionBuildNumber": 26200,
    "ClientVersionQfeNumber": 1,
}


def ints(numbers):
    return {"int": list(numbers)}


def fragment(text):
    """A fragment is a row of elements without a common root."""
    return etree.fromstring(f"<fragment>{text}</fragment>")


def session(client, config, version="2.90"):
    authorization = client.call(
        "simple", "GetAuthorizationCookie", clientId=ITSELF, targetGroupName="",
        dnsName="pc1.example.com",
    )
    assert authorization.PlugInId == "SimpleTargeting"
    return client.call(
        "client", "GetCookie", authCookies={"AuthorizationCookie": [authorization]},
        lastChange=config.LastChange, currentTime=NOW, protocolVersion=version,
    )


def sync(client, cookie, **parameters):
    parameters = {"ExpressQuery": False, "SkipSoftwareSync": False, **parameters}
    return client.call("client", "SyncUpdates", cookie=cookie, parameters=parameters)


def check_start(client):
    config = client.call("client", "GetConfig", protocolVersion="2.90")
    properties = {p.Name: p.Value for p in config.Properties.ConfigurationProperty}
    assert properties["ProtocolVersion"] == "3.2" and config.IsRegistrationRequired
    assert properties["MaxExtendedUpdatesPerRequest"] == "50"
    [plug_in] = config.AuthInfo.AuthPlugInInfo
    assert plug_in.ServiceUrl == SERVICES["simple"][1].lstrip("/")
    assert client.mangled("client", "GetConfig", COMPUTERS) == "InvalidParameters Envelope"
    refused = client.refused("simple", "GetAuthorizationCookie", clientId="?", dnsName="pc1")
    assert refused == "InvalidParameters clientId", refused
    refused = client.refused("simple", "GetAuthorizationCookie", clientId=ITSELF, dnsName="")
    assert refused == "InvalidParameters dnsName", refused
    cookie = session(client, config)
    life = cookie.Expiration.timestamp() - time.time()
    assert 50 * 60 < life < 70 * 60, life
    forged = {"PlugInId": "SimpleTargeting", "CookieData": bytes(90)}
    times = {"lastChange": config.LastChange, "currentTime": NOW, "protocolVersion": "2.90"}
    refused = client.refused(
        "client", "GetCookie", authCookies={"AuthorizationCookie": [forged]}, **times
    )
    assert refused == "InvalidAuthorizationCookie", refused
    unknown = client.refused("client", "SyncUpdates", cookie=cookie, parameters=BARE)
    assert unknown == "RegistrationRequired", unknown
    refused = client.refused(
        "client", "RegisterComputer", cookie=altered(cookie), computerInfo=COMPUTER
    )
    assert refused == "InvalidCookie", refused
    client.call("client", "RegisterComputer", cookie=cookie, computerInfo=COMPUTER)
    early = {**times, "lastChange": "2020-01-01T00:00:00Z"}
    old = session_since(client, early)
    changed = client.refused("client", "SyncUpdates", cookie=old, parameters=BARE)
    assert changed == "ConfigChanged", changed
    return cookie


BARE = {"ExpressQuery": False, "SkipSoftwareSync": False}


def session_since(client, times):
    authorization = client.call(
        "simple", "GetAuthorizationCookie", clientId=ITSELF, dnsName="pc1.example.com"
    )
    return client.call(
        "client", "GetCookie", authCookies={"AuthorizationCookie": [authorization]}, **times
    )


class Scan:
    """What a computer knows after each step; what is installed there it was told beforehand."""

    def __init__(self, client, cookie, documents):
        self.client, self.cookie = client, cookie
        self.by_id = {(d["id"], d["revision"]): d for d in documents}
        self.known, self.leaf, self.actions = {}, {}, {}

    def step(self):
        installed = [n for n, d in self.known.items() if d["installed"] and not self.leaf[n]]
        others = [n for n in self.known if n not in installed]
        info = sync(
            self.client, self.cookie, InstalledNonLeafUpdateIDs=ints(installed),
            OtherCachedUpdateIDs=ints(others),
        )
        assert info.NewCookie.Expiration == self.cookie.Expiration
        self.cookie = info.NewCookie
        assert not info.OutOfScopeRevisionIDs and not info.ChangedUpdates
        news = info.NewUpdates.UpdateInfo if info.NewUpdates else []
        for new in news:
            self.take(new)
        return info.Truncated or any(not new.IsLeaf for new in news)

    def take(self, new):
        core = fragment(new.Xml)
        names = [child.tag for child in core]
        order = ["UpdateIdentity", "Properties", "Relationships", "ApplicabilityRules"]
        assert names == [name for name in order if name in names], names
        update = core[0].attrib
        document = self.by_id[update["UpdateID"].lower(), int(update["RevisionNumber"])]
        assert core[1].get("UpdateType") == document["kind"]
        assert new.ID not in self.known
        assert new.Deployment.ID == new.ID and new.Deployment.IsAssigned
        self.known[new.ID], self.leaf[new.ID] = document, new.IsLeaf
        self.actions[document["id"]] = new.Deployment.Action

    def run(self):
        for steps in range(1, STEPS_MAX):
            if not self.step():
                return steps
        raise AssertionError(f"no end after {STEPS_MAX} steps")


def check_scan(client, cookie, expected):
    product = {"IndexOfAndGroup": 0, "CategoryId": expected["filter"][0]}
    strange = {"IndexOfAndGroup": 0, "CategoryId": NIL}
    begun = client.call(
        "client", "StartCategoryScan",
        requestedCategories={"CategoryRelationship": [product, strange]},
    )
    assert begun.preferredCategoryIds.guid == [product["CategoryId"]], begun
    assert begun.requestedCategoryIdsInError.guid == [NIL], begun
    refused = client.refused(
        "client", "StartCategoryScan",
        requestedCategories={"CategoryRelationship": [product] * 200},
    )
    assert refused == "InvalidParameters requestedCategories", refused
    scan = Scan(client, cookie, expected["documents"])
    steps = scan.run()
    told = {}
    for document, action in scan.actions.items():
        told.setdefault(action, set()).add(document)
    for action, wanted in expected["actions"].items():
        found = told.get(action, set())
        assert found == set(wanted), (action, found ^ set(wanted))
    targets = {id for d in expected["documents"] for id in d["prerequisites"]}
    for number, document in scan.known.items():
        assert scan.leaf[number] == (document["id"] not in targets), document
    assert not scan.step(), "a rescan finds nothing"
    drivers = sync(
        client, scan.cookie, SkipSoftwareSync=True, CachedDriverIDs=ints([7]),
        SystemSpec={"Device": [{"HardwareIDs": {"string": ["pci\\ven_8086"]}}]},
    )
    assert drivers.OutOfScopeRevisionIDs.int == [7] and not drivers.NewUpdates
    return scan, steps


def check_scan_faults(client, scan):
    cookie = scan.cookie
    many = {**BARE, "InstalledNonLeafUpdateIDs": ints([1] * 401)}
    refused = client.refused("client", "SyncUpdates", cookie=cookie, parameters=many)
    assert refused == "InvalidParameters parameters.InstalledNonLeafUpdateIDs", refused
    misplaced = {**BARE, "SystemSpec": {"Device": [{"HardwareIDs": {"string": ["x"]}}]}}
    refused = client.refused("client", "SyncUpdates", cookie=cookie, parameters=misplaced)
    assert refused == "InvalidParameters parameters.SystemSpec", refused
    fragments = {"infoTypes": {"XmlUpdateFragmentType": ["Core"]}, "locales": {"string": ["en"]}}
    one = {"UpdateIdentity": [{"UpdateID": NIL, "RevisionNumber": 1}]}
    calls = {
        "SyncUpdates": {"parameters": BARE},
        "SyncPrinterCatalog": {},
        "RefreshCache": {"globalIDs": one},
        "GetExtendedUpdateInfo": {"revisionIDs": ints([1]), **fragments},
        "GetExtendedUpdateInfo2": {"updateIDs": one, **fragments},
        "GetFileLocations": {"fileDigests": {"base64Binary": [bytes(20)]}},
    }
    for operation, arguments in calls.items():
        for bad in (altered(cookie), None):
            refused = client.refused("client", operation, cookie=bad, **arguments)
            assert refused == "InvalidCookie", (operation, refused)


def check_details(client, scan):
    """Of every update: what it is called, and its files by digest, size and address."""
    numbers = sorted(scan.known)
    located, titles, extended = {}, {}, {}
    for start in range(0, len(numbers), 50):
        batch = numbers[start : start + 50]
        answer = client.call(
            "client", "GetExtendedUpdateInfo", cookie=scan.cookie,
            revisionIDs=ints([*batch[:49], 2**31 - 1]) if len(batch) < 50 else ints(batch),
            infoTypes={"XmlUpdateFragmentType": ["Extended", "LocalizedProperties"]},
            locales={"string": ["de-AT", "en"]},
        )
        unknown = answer.OutOfScopeRevisionIDs.int if answer.OutOfScopeRevisionIDs else []
        assert unknown == ([2**31 - 1] if len(batch) < 50 else [])
        for update in answer.Updates.Update:
            parts = fragment(update.Xml)
            is_title = parts[0].tag == "LocalizedProperties"
            (titles if is_title else extended)[update.ID] = parts
        for location in answer.FileLocations.FileLocation if answer.FileLocations else []:
            located[location.FileDigest.hex()] = location.Url
    for number, document in scan.known.items():
        title = titles[number].findtext("LocalizedProperties/Title")
        assert title == document["title_de"], (title, document["title_de"])
        files = [(f.get("FileName"), int(f.get("Size"))) for f in extended[number].iter("File")]
        assert files == [(f["name"], f["size"]) for f in document["files"]], files
        for file in document["files"]:
            digest = file["sha1"]
            path = f"/Content/{digest[38:].upper()}/{digest.upper()}"
            assert located[digest].startswith(client.root + path), located[digest]
    too_many = client.refused(
        "client", "GetExtendedUpdateInfo", cookie=scan.cookie, revisionIDs=ints(range(51)),
        infoTypes={"XmlUpdateFragmentType": ["Extended"]}, locales={"string": ["en"]},
    )
    assert too_many == "InvalidParameters revisionIDs", too_many
    return located


def check_by_identity(client, scan):
    known = {(d["id"], d["revision"]): n for n, d in scan.known.items()}
    globals_ = [{"UpdateID": i, "RevisionNumber": r} for i, r in known]
    strange = {"UpdateID": NIL, "RevisionNumber": 1}
    answer = client.call(
        "client", "RefreshCache", cookie=scan.cookie,
        globalIDs={"UpdateIdentity": [*globals_, strange]},
    )
    found = {
        (r.GlobalID.UpdateID, r.GlobalID.RevisionNumber): (r.RevisionID, r.IsLeaf) for r in answer
    }
    members = {i for i, action in scan.actions.items() if action == "Bundle"}
    wanted = {u: (n, scan.leaf[n]) for u, n in known.items() if u[0] not in members}
    assert found == wanted
    answer = client.call(
        "client", "GetExtendedUpdateInfo2", cookie=scan.cookie,
        updateIDs={"UpdateIdentity": [*globals_[:10], strange]},
        infoTypes={"XmlUpdateFragmentType": ["Core", "FileUrl"]}, locales={"string": ["en"]},
    )
    cores = [fragment(update.Xml)[0].get("UpdateID").lower() for update in answer.Updates.Update]
    assert sorted(cores) == sorted(update["UpdateID"] for update in globals_[:10])


def check_files(client, scan, located, files):
    digests = [bytes.fromhex(file["sha1"]) for file in files]
    answer = client.call(
        "client", "GetFileLocations", cookie=scan.cookie,
        fileDigests={"base64Binary": [*digests, bytes(20)]},
    )
    places = {l.FileDigest.hex(): l.Url for l in answer.FileLocations.FileLocation}
    assert set(places) == {file["sha1"] for file in files}
    assert located.items() <= places.items()
    for file in files:
        if not file["is_here"]:
            continue
        content = client.fetch(places[file["sha1"]])
        assert len(content) == file["size"]
        assert hashlib.sha1(content).hexdigest() == file["sha1"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    many = {"base64Binary": [bytes(20)] * 1001}
    refused = client.refused(
        "client", "GetFileLocations", cookie=scan.cookie, fileDigests=many
    )
    assert refused == "InvalidParameters fileDigests", refused


def event(number, identity, update=None, hresult=0):
    return {
        "BasicData": {
            "TargetID": {"Sid": ITSELF}, "SequenceNumber": number, "TimeAtTarget": NOW,
            "EventInstanceID": f"00000000-0000-4000-8000-{number:012}", "NamespaceID": 1,
            "EventID": identity, "SourceID": 101, "Win32HResult": hresult,
            "UpdateID": update or {"UpdateID": NIL, "RevisionNumber": 0},
            "AppName": "AutomaticUpdates",
        },
        "ExtendedData": {
            "ReplacementStrings": {"string": ["1"]},
            "MiscData": {"string": ["G=10.0.26200.1", "D=1", f"U={NIL}"]},
            "ComputerBrand": "Acme", "ComputerModel": "Anvil", "BiosRevision": "1",
            "ProcessorArchitecture": "Amd64Compatible", "OSLocaleID": 1033, "DeviceID": "",
            "OSVersion": {
                "Major": 10, "Minor": 0, "Build": 26200, "Revision": 0, "ServicePackMajor": 0,
                "ServicePackMinor": 0,
            },
        },
        "PrivateData": {"ComputerDnsName": "pc1.example.com", "UserAccountName": ""},
    }


def check_reports(client, scan):
    update = next(d for d in scan.known.values() if d["kind"] == "Software")
    update = {"UpdateID": update["id"], "RevisionNumber": update["revision"]}
    events = {
        "ReportingEvent": [
            event(1, 147), event(2, 167, update), event(3, 182, update, -2145099769), event(4, 156),
        ]
    }
    for service in ("report", "rollup"):
        common = {"cookie": scan.cookie, "clientTime": NOW}
        inventory = {"IsCompressed": False, "RawXml": "<x/>"}
        calls = {
            "ReportEventBatch": {**common, "eventBatch": events},
            "GetRequiredInventoryType": {
                "cookie": scan.cookie, "rulesId": NIL, "rulesVersion": "1"
            },
            "ReportInventory": {**common, "inventory": inventory},
        }
        answers = {"ReportEventBatch": True, "GetRequiredInventoryType": 0, "ReportInventory": True}
        for operation, arguments in calls.items():
            assert client.call(service, operation, **arguments) == answers[operation]
            forged = {**arguments, "cookie": altered(scan.cookie)}
            refused = client.refused(service, operation, **forged)
            assert refused == "InvalidCookie", (operation, refused)
        second = {"clientTime": NOW, "eventBatch": events}
        assert client.call(service, "ReportEventBatch2", computerId=ITSELF, **second) is True
        refused = client.refused(service, "ReportEventBatch2", computerId="nobody", **second)
        assert refused == "InvalidParameters computerId", refused


def check_rest(client, scan):
    printers = client.call(
        "client", "SyncPrinterCatalog", cookie=scan.cookie,
        installedNonLeafUpdateIDs=ints([]), printerUpdateIDs=ints([3]),
    )
    assert printers.OutOfScopeRevisionIDs.int == [3] and not printers.NewUpdates
    content = (
        "<clientConfiguration><ProcessorArchitecture>Amd64Compatible</ProcessorArchitecture>"
        "<AlwaysOnAlwaysConnected>false</AlwaysOnAlwaysConnected><ClientVersion>10.0</ClientVersion>"
        "<ProtocolVersion>2.90</ProtocolVersion></clientConfiguration>"
    )
    path = SERVICES["client"][1]
    [config] = client.own(path, COMPUTERS, "GetConfig2", content)
    assert config.findtext(f"{{{COMPUTERS}}}IsRegistrationRequired") == "true"
    refused = client.own_refused(path, COMPUTERS, "GetConfig2", "")
    assert refused == "InvalidParameters clientConfiguration", refused
    # The description of the computers' reports names four calls of servers, too.
    cookie = {"Expiration": "9999-12-31T23:59:59.9999999Z"}
    config = client.call("report", "GetRollupConfiguration", cookie=cookie)
    refused = client.mangled("report", "GetRollupConfiguration", UPDATES)
    assert refused == "InvalidParameters Envelope", refused
    common = {"cookie": cookie, "clientTime": NOW}
    client.call("report", "RollupDownstreamServers", **common, downstreamServers=None)
    refused = client.mangled("report", "RollupDownstreamServers", UPDATES)
    assert refused == "InvalidParameters Envelope", refused
    parent = {"parentServerId": config.ServerId}
    for operation, arguments in {
        "RollupComputers": common,
        "GetOutOfSyncComputers": {"cookie": cookie, **parent},
        "RollupComputerStatus": {**common, **parent},
    }.items():
        refused = client.refused("report", operation, **arguments)
        assert refused == "InvalidParameters DoDetailedRollup", refused


def run(client, expected):
    cookie = check_start(client)
    scan, steps = check_scan(client, cookie, expected)
    check_scan_faults(client, scan)
    located = check_details(client, scan)
    check_by_identity(client, scan)
    check_files(client, scan, located, expected["files"])
    check_reports(client, scan)
    check_rest(client, scan)
    print(f"a computer learned of {len(scan.known)} updates in {steps} steps")
