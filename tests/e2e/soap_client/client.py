"""A SOAP client made of the service descriptions alone.

Owns the six services at one address, the schemas by which every answer is checked (zeep reads
strictly, yet passes over what a schema demands and an answer lacks), and how faults are read.
Refuses to know what the operations mean.
"""

import pathlib
import re
import tempfile

import requests
import zeep
from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
UPDATES = "http://www.microsoft.com/SoftwareDistribution"
COMPUTERS = f"{UPDATES}/Server/ClientWebService"
MONITOR = f"{UPDATES}/Server/IMonitorable"
XML_SCHEMA = "http://www.w3.org/2001/XMLSchema"
WSDL = "http://schemas.xmlsoap.org/wsdl/"

# Description, where the service is, and the name it has here.
SERVICES = {
    "auth": ("DssAuthWebService.wsdl", "/DssAuthWebService/DssAuthWebService.asmx"),
    "sync": ("ServerSyncWebService.wsdl", "/ServerSyncWebService/ServerSyncWebService.asmx"),
    "rollup": ("ServerReporting.wsdl", "/ReportingWebService/ReportingWebService.asmx"),
    "simple": ("SimpleAuth.wsdl", "/SimpleAuthWebService/SimpleAuth.asmx"),
    "client": ("ClientWebService.wsdl", "/ClientWebService/Client.asmx"),
    "report": ("ClientReporting.wsdl", "/ReportingWebService/WebService.asmx"),
}


class Refused(Exception):
    """A fault: what its detail says."""

    def __init__(self, code, message):
        super().__init__(f"{code} {message}".rstrip())


class Answers(zeep.Plugin):
    """Keeps the last answer and checks it against the schema of its service."""

    def __init__(self, schema):
        self.schema = schema
        self.body = None

    def ingress(self, envelope, http_headers, operation):
        self.body = envelope.find(f"{{{SOAP}}}Body")
        content = self.body[0]
        if content.tag != f"{{{SOAP}}}Fault" and not self.schema.validate(content):
            raise AssertionError(f"{operation.name}: {self.schema.error_log}")
        return envelope, http_headers


def schema_of(description):
    """All schemas of a description as one: they use each other by name, without places."""
    types = etree.parse(description).find(f"{{{WSDL}}}types")
    schemas = types.findall(f"{{{XML_SCHEMA}}}schema")
    with tempfile.TemporaryDirectory() as folder:
        places = {s.get("targetNamespace"): f"{folder}/{n}.xsd" for n, s in enumerate(schemas)}
        root = etree.Element(f"{{{XML_SCHEMA}}}schema")
        for schema in schemas:
            for imported in schema.findall(f"{{{XML_SCHEMA}}}import"):
                imported.set("schemaLocation", places[imported.get("namespace")])
            space = schema.get("targetNamespace")
            etree.ElementTree(schema).write(places[space])
            etree.SubElement(
                root, f"{{{XML_SCHEMA}}}import", namespace=space, schemaLocation=places[space]
            )
        return etree.XMLSchema(etree.fromstring(etree.tostring(root)))


class Client:
    def __init__(self, descriptions, root):
        self.root, self.session = root, requests.Session()
        self.session.trust_env = False
        self.plugins, self.services, self.called = {}, {}, {}
        for name, (file, path) in SERVICES.items():
            description = str(pathlib.Path(descriptions) / file)
            plugin = Answers(schema_of(description))
            transport = zeep.Transport(session=self.session)
            client = zeep.Client(description, transport=transport, plugins=[plugin])
            bindings = client.wsdl.bindings.items()
            [binding] = [b for b, kind in bindings if type(kind).__name__ == "Soap11Binding"]
            for operation in client.wsdl.bindings[binding]._operations:
                self.called[name, operation] = [0, set()]
            self.services[name] = client.create_service(binding, root + path)
            self.plugins[name] = plugin

    def call(self, service, operation, **arguments):
        """The answer, or Refused."""
        tally = self.called[service, operation]
        try:
            answer = self.services[service][operation](**arguments)
        except zeep.exceptions.Fault as fault:
            code, message = self.read_fault(service, operation, fault)
            tally[1].add(f"{code} {message}".rstrip())
            raise Refused(code, message) from None
        tally[0] += 1
        return answer

    def refused(self, service, operation, **arguments):
        """What the fault said that there has to be."""
        try:
            self.call(service, operation, **arguments)
        except Refused as refused:
            return str(refused)
        raise AssertionError(f"{operation} was not refused")

    def check_order_matters(self, service):
        """The last answer was good; with its parts in another order it must not be."""
        plugin = self.plugins[service]
        content = plugin.body[0]
        content[0][:] = reversed(content[0])
        assert not plugin.schema.validate(content), "the schema lets everything pass"

    def read_fault(self, service, operation, fault):
        """The detail in its documented form, whose elements have no namespace."""
        tags = [child.tag for child in fault.detail]
        assert tags == ["ErrorCode", "Message", "ID", "Method"], tags
        code, message, identity, method = (child.text or "" for child in fault.detail)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", identity), identity
        assert method.startswith('"http://') and method.endswith(f'/{operation}"'), method
        side = "Server" if code in ("InternalServerError", "ServerBusy") else "Client"
        prefix = "s" if f"{COMPUTERS}/" in method else "soap"
        assert fault.code == f"{prefix}:{side}", fault.code
        assert fault.message == "Fault occurred", fault.message
        path = SERVICES[service][1] if service in SERVICES else service
        actor = None if prefix == "s" else self.root + path
        assert fault.actor == actor, fault.actor
        return code, message

    def post(self, path, action, body):
        """What is in the body of the answer to a message of our own making."""
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
        answer = self.session.post(self.root + path, data=body, headers=headers)
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
        content = etree.fromstring(answer.content).find(f"{{{SOAP}}}Body")[0]
        is_fault = content.tag == f"{{{SOAP}}}Fault"
        assert answer.status_code == (500 if is_fault else 200), answer.status_code
        if not is_fault:
            return content
        text = content.findtext
        fault = zeep.exceptions.Fault(
            text("faultstring"), text("faultcode"), text("faultactor"), content.find("detail")
        )
        raise Refused(*self.read_fault(path, action.rsplit("/", 1)[1], fault))

    def own(self, path, space, operation, content):
        """Calls an operation that no description has."""
        body = (
            f'<s:Envelope xmlns:s="{SOAP}"><s:Body><{operation} xmlns="{space}">{content}'
            f"</{operation}></s:Body></s:Envelope>"
        )
        return self.post(path, f"{space}/{operation}", body.encode())

    def own_refused(self, path, space, operation, content):
        try:
            self.own(path, space, operation, content)
        except Refused as refused:
            return str(refused)
        raise AssertionError(f"{operation} was not refused")

    def mangled(self, service, operation, space):
        """What the fault says to a call that is no message."""
        try:
            self.post(SERVICES[service][1], f"{space}/{operation}", b"<not-soap/>")
        except Refused as refused:
            self.called[service, operation][1].add(str(refused))
            return str(refused)
        raise AssertionError(f"{operation} was not refused")

    def fetch(self, url):
        answer = self.session.get(url)
        assert answer.status_code == 200, (url, answer.status_code)
        return answer.content
