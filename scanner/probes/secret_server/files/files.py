"""The questions about the files around the application, beside its libraries."""

from __future__ import annotations

from checks.secret_server.facts.folder import AppTree, DatabaseConfig, WebConfig
from scanner.probes import rights
from scanner.probes.batch.powershell import powershell_source
from scanner.probes.probe import Probe
from scanner.probes.secret_server.files import file_readers as readers
from scanner.probes.secret_server.parts import ROOTS

PROBES: tuple[Probe, ...] = (
    Probe(
        id="database-config",
        language="powershell",
        purpose="the SHA-256, size and EFS attribute of database.config; its content stays on the node",
        script=powershell_source("secret_server/files/database-config.ps1"),
        parts=ROOTS,
        readers=((DatabaseConfig, readers.database_config),),
        parameters=("web_root",),
        roles=("web",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
        sample='{"folders": [{"root": {"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer", '
        '"sources": ["registry", "iis"], "exists": true, "has_encryption_config": true, '
        '"has_bin": true, "error": ""}, '
        '"config": {"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer\\\\database.config", '
        '"state": "hashed", '
        '"sha256": "d048109ceb970c1d621a3ab94773e557b6ef6b35d73ed711c8966ec07cc574d2", '
        '"efs": false, "size_bytes": 23, "detail": ""}}], "notes": []}',
    ),
    Probe(
        id="web-config",
        language="powershell",
        purpose="whether web.config and the files it names are well-formed XML; no content",
        script=powershell_source("secret_server/files/web-config.ps1"),
        parts=ROOTS,
        readers=((WebConfig, readers.web_config),),
        parameters=("web_root",),
        roles=("web",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
        sample='{"folders": [{"root": {"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer", '
        '"sources": ["registry", "iis"], "exists": true, "has_encryption_config": true, '
        '"has_bin": true, "error": ""}, '
        '"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer\\\\web.config", "state": "wellformed", '
        '"detail": "", "rooted": true, "named": []}], "notes": []}',
    ),
    # The costly one comes last, so that it makes no other one late.
    Probe(
        id="app-files",
        language="powershell",
        purpose="hashes of the application's files, by folder and shortened; bounded to 20 s, 2 GB and 20,000 files",
        script=powershell_source("secret_server/files/app-files.ps1"),
        parts=ROOTS,
        readers=((AppTree, readers.app_tree),),
        parameters=("web_root",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
        sample='{"folders": [{"root": {"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer", '
        '"sources": ["registry", "iis"], "exists": true, "has_encryption_config": true, '
        '"has_bin": true, "error": ""}, "tree": [{"folder": "", "count": 1, '
        '"files": "saml.config/58184ad8", "partial": false, '
        '"digest": "fcc1290e3bce491056e50c89b095d846f0eee31f7ac0e37e91cbd5e6751137b7"}, '
        '{"folder": "\\\\bin", "count": 3, '
        '"files": "thycotic.appcore.dll/fdfafd86|thycotic.foundation.dll/fdfafd86|'
        'thycotic.ihawu.business.dll/fdfafd86", '
        '"partial": false, '
        '"digest": "d34f88f64994e57060955e9e87e509ad32af85c163bc6537231f3282a880718b"}], '
        '"left_out": [], "stopped": "", "files": 4, "bytes": 3145735}], "notes": []}',
    ),
)
