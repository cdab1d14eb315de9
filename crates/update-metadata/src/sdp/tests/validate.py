"""Validates packages against the publishing schemas: validate.py SCHEMAS PACKAGES.

The schemas use each other without saying so; copies of them, in PACKAGES, get the imports they
lack. PACKAGES also holds the packages, *.sdp. Prints each fault; none is success.
"""

import pathlib
import re
import sys

from lxml import etree

schemas, packages = map(pathlib.Path, sys.argv[1:])
texts = {path.name: path.read_bytes().decode("utf-8-sig") for path in schemas.glob("*.xsd")}
spaces = {name: re.search(r'targetNamespace="([^"]*)"', text) for name, text in texts.items()}
homes = {space[1]: name for name, space in spaces.items() if space}

for name, text in texts.items():
    used = {uri for uri in re.findall(r'xmlns:\w+="([^"]*)"', text) if uri in homes}
    used -= set(re.findall(r'<(?:xs:)?import\s+namespace="([^"]*)"', text))
    used = sorted(uri for uri in used if homes[uri] != name)
    prefix = "xs:" if "<xs:schema" in text else ""
    imports = [f'<{prefix}import namespace="{uri}" schemaLocation="{homes[uri]}"/>' for uri in used]
    head = re.search(r"<(?:xs:)?schema\b[^>]*>", text)
    if not head:
        continue
    whole = text[: head.end()] + "".join(imports) + text[head.end() :]
    (packages / name).write_text(whole, "utf-8")

schema = etree.XMLSchema(etree.parse(packages / "SoftwareDistributionPackage.xsd"))
count = 0
for path in sorted(packages.glob("*.sdp")):
    count += 1
    if not schema.validate(etree.parse(path)):
        for error in schema.error_log:
            print(f"{path.name}: line {error.line}: {error.message}")
print(f"{count} packages")
