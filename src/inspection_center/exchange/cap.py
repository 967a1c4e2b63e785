"""Alerts as the Common Alerting Protocol has them (OASIS CAP 1.2), one `info` for each language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lxml import etree

from inspection_center.clock import parse

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_LIFE = timedelta(hours=2)
# Severity of a finding (Detection.msg) as CAP's severity and urgency.
_SEVERITY = {0: "Minor", 1: "Minor", 2: "Moderate", 3: "Severe", 4: "Extreme"}
_URGENCY = {0: "Past", 1: "Future", 2: "Expected", 3: "Immediate", 4: "Immediate"}
# First part of a finding's kind as CAP's category.
_CATEGORY = {"radiation": "CBRNE", "odor": "CBRNE", "thermal": "Health", "document": "Security"}


def write_alert(alert: Mapping[str, Any], sender: str, status: str = "Actual") -> bytes:
    """An alert as a CAP document.

    Args:
        alert: `id`, `kind`, `severity` (0 … 4), `opened` (RFC 3339), `state`, `event` and `headline` (texts by
            language tag), `place` (text) and, if known, `latitude_deg` and `longitude_deg` (WGS 84).
        sender: who speaks; blanks, commas, `<` and `&` are not allowed in it and are left out.
        status: Actual, Exercise, System, Test or Draft.
    """
    root = etree.Element(_name("alert"), nsmap={None: NAMESPACE})
    sent = parse(alert["opened"])
    closed = alert["state"] in ("dismissed", "closed")
    _add(root, "identifier", _reference(f"{alert['id']}-cancel" if closed else alert["id"]))
    _add(root, "sender", _reference(sender))
    _add(root, "sent", _time(sent))
    _add(root, "status", status)
    _add(root, "msgType", "Cancel" if closed else "Alert")
    _add(root, "scope", "Restricted")
    _add(root, "restriction", "Port authorities")
    if closed:
        _add(root, "references", f"{_reference(sender)},{_reference(alert['id'])},{_time(sent)}")
    severity = int(alert["severity"])
    for language, event in alert["event"].items():
        info = etree.SubElement(root, _name("info"))
        _add(info, "language", language)
        _add(info, "category", _CATEGORY.get(str(alert["kind"]).split(".")[0], "Safety"))
        _add(info, "event", event)
        _add(info, "urgency", "Past" if closed else _URGENCY[severity])
        _add(info, "severity", _SEVERITY[severity])
        _add(info, "certainty", "Observed")
        _add(info, "expires", _time(sent + _LIFE))
        _add(info, "headline", alert["headline"][language])
        area = etree.SubElement(info, _name("area"))
        _add(area, "areaDesc", alert["place"])
        if alert.get("latitude_deg") is not None:
            _add(area, "circle", f"{alert['latitude_deg']:.6f},{alert['longitude_deg']:.6f} 0.1")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _add(parent: etree._Element, name: str, text: str) -> None:
    # XML 1.0 has no control characters but tab and line ends.
    clean = "".join(one for one in text if one.isprintable() or one in "\n\t").strip()
    etree.SubElement(parent, _name(name)).text = clean or "—"


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _reference(text: str) -> str:
    """Identifiers and senders have no blanks, commas, `<` or `&` (CAP 1.2, 3.2.1)."""
    return "".join(one for one in text if one.isprintable() and one not in " ,<&") or "unknown"


def _time(moment: Any) -> str:
    """With the offset written out: `Z` is not allowed (CAP 1.2, 3.3.2)."""
    return str(moment.replace(microsecond=0).isoformat()).replace("Z", "-00:00").replace("+00:00", "-00:00")
