"""The files of IIS that a scenario's short words ("Classic", a pool's name) amount to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

IIS_KEYS = frozenset(
    (
        *("mode", "defaults_mode", "pool", "named", "defaults_pool", "site_pool"),
        *("site", "path", "physical", "shared", "sites"),
        *("runtime", "load_user_profile", "max_processes", "identity"),
        "authentication",
        *("defaults_runtime", "defaults_load_user_profile"),
    )
)
"""What a scenario may say of IIS; scenarios/README.md describes each."""


def redirection(shared: str) -> str:
    """redirection.config; `shared` is the folder that it points to, or empty."""
    if not shared:
        return "<configuration><configurationRedirection /></configuration>"
    return (
        f'<configuration><configurationRedirection enabled="true" path={quoteattr(shared)} '
        'userName="CORP\\iis-share" password="[enc:AesProvider:bm90IGEgc2VjcmV0:enc]" /></configuration>'
    )


def application_host(settings: Mapping[str, Any], root: str) -> str:
    """applicationHost.config; `root` is the folder of the application."""
    pool = str(settings.get("pool", "SecretServerAppPool"))
    site = str(settings.get("site", "Default Web Site"))
    path = str(settings.get("path", "/SecretServer"))
    own = {"applicationPool": pool} if settings.get("named", True) else {}
    application = _application_element(path, str(settings.get("physical", root)), own)
    home = "" if path == "/" else _application_element("/", r"%SystemDrive%\inetpub\wwwroot", {})
    site_pool = settings.get("site_pool")
    site_defaults = f"<applicationDefaults{_attributes({'applicationPool': str(site_pool)})}/>" if site_pool else ""
    sites = [f"<site{_attributes({'name': site, 'id': '1'})}>{home}{application}{site_defaults}</site>"]
    pools = [pool, "DefaultAppPool"]
    for number, row in enumerate(settings.get("sites", []), start=2):
        row_pool = str(row.get("pool", "DefaultAppPool"))
        other = _application_element(str(row.get("path", "/")), str(row["physical"]), {"applicationPool": row_pool})
        sites.append(f"<site{_attributes({'name': str(row['name']), 'id': str(number)})}>{other}</site>")
        pools.append(row_pool)
    pools += [str(name) for name in (site_pool, settings.get("defaults_pool")) if name]
    adds = "".join(_pool_element(name, settings if name == pool else {}) for name in dict.fromkeys(pools))
    defaults = {"managedPipelineMode": "defaults_mode", "managedRuntimeVersion": "defaults_runtime"}
    given = {"defaults_runtime": "v4.0", "defaults_load_user_profile": "true", **settings}
    own_defaults = _attributes({name: str(given[key]) for name, key in defaults.items() if given.get(key)})
    profile = str(given["defaults_load_user_profile"])
    loads = _attributes({"loadUserProfile": profile} if profile else {})
    default_pool = _attributes({"applicationPool": str(settings.get("defaults_pool", "DefaultAppPool"))})
    ways = "".join(
        f"<{kind}Authentication{_attributes({'enabled': str(on)})}/>"
        for kind, on in dict(settings.get("authentication", {})).items()
    )
    inside = f"<system.webServer><security><authentication>{ways}</authentication></security></system.webServer>"
    location = f"<location{_attributes({'path': site + path})}>{inside}</location>" if ways else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<configuration><system.applicationHost>'
        f"<applicationPools>{adds}<applicationPoolDefaults{own_defaults}>"
        f'<processModel identityType="SpecificUser"{loads} userName="CORP\\svc-ss" '
        'password="[enc:IISWASOnlyAesProvider:bm90IGEgc2VjcmV0:enc]" />'
        f"</applicationPoolDefaults></applicationPools><sites>{''.join(sites)}"
        f"<applicationDefaults{default_pool}/></sites></system.applicationHost>{location}</configuration>\n"
    )


def _pool_element(name: str, settings: Mapping[str, Any]) -> str:
    own = {"name": name}
    if settings.get("mode"):
        own["managedPipelineMode"] = str(settings["mode"])
    if "runtime" in settings:
        own["managedRuntimeVersion"] = str(settings["runtime"])
    names = {"loadUserProfile": "load_user_profile", "maxProcesses": "max_processes", "identityType": "identity"}
    model = _attributes({attribute: str(settings[key]) for attribute, key in names.items() if key in settings})
    return f"<add{_attributes(own)}><processModel{model}/></add>" if model else f"<add{_attributes(own)}/>"


def _application_element(path: str, physical: str, own: Mapping[str, str]) -> str:
    folder = _attributes({"path": "/", "physicalPath": physical})
    return f"<application{_attributes({'path': path, **own})}><virtualDirectory{folder}/></application>"


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())
