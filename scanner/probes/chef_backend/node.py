"""What a machine of a Chef Backend cluster is asked about itself. Read-only; of secrets, only hashes leave a node.

What needs root is one plain command after `$SUDO`, without a variable in it: the guides' sudoers lists exactly these.
"""

from __future__ import annotations

from checks.chef_backend.facts.machine import (
    ConfigDigest,
    DrbdTraces,
    InstalledPackage,
    LeaderAnswer,
    SecretsFiles,
    StagedPackage,
    StraySecrets,
)
from scanner.probes.chef_backend.node_readers import (
    BACKEND_CONFIG,
    BACKEND_SECRETS,
    FRONTEND_CONFIG,
    FRONTEND_SECRETS,
    STAGED_BYTES,
    read_config_digest,
    read_drbd_traces,
    read_installed_package,
    read_leader_answer,
    read_secrets_files,
    read_staged_package,
    read_stray_secrets,
)
from scanner.probes.linux.local_http import ask_on_node
from scanner.probes.linux.ruby_settings import CONFIG_LINES, settings_of_stdin
from scanner.probes.probe import Probe

# A package that is not known to rpm may be known to dpkg: some Debian machines have both.
PACKAGE = Probe(
    id="chef-package",
    language="sh",
    purpose="the installed package of Chef Backend, since when, and what its manifest says",
    script="""\
if found=$(rpm -q --qf '%{VERSION}-%{RELEASE} %{INSTALLTIME}|' chef-backend 2>/dev/null); then
    echo "rpm $found"
elif found=$(dpkg-query -W -f='${Status} ${Version}' chef-backend 2>/dev/null); then
    echo "deb $found $(stat -c %Y /var/lib/dpkg/info/chef-backend.list 2>/dev/null)"
else
    echo none
fi
echo "now $(date +%s)"
manifest=/opt/chef-backend/version-manifest.json
echo "manifest $(grep -o '"build_version"[[:space:]]*:[[:space:]]*"[^"]*"' $manifest 2>&1)"
""",
    readers=((InstalledPackage, read_installed_package),),
    roles=("backend",),
    sample='rpm 2.2.5-1 1865440000|\nnow 1900000000\nmanifest "build_version": "2.2.5"\n',
)

# Without root: the path is the inventory's, and sudo should allow no command on a path that somebody else chose.
STAGED = Probe(
    id="chef-staged-package",
    language="sh",
    purpose="whether the package that `package` names lies ready: its hash, name and version; nothing over 2 GiB",
    script=f"""\
if [ -z "${{package-}}" ]; then echo undeclared; exit 0; fi
if ! found=$(stat -L -c '%s %F' "$package" 2>&1); then echo "$found"; exit 0; fi
echo "size $found"
case $found in *' regular file') ;; *) exit 0 ;; esac
if [ "${{found%% *}}" -gt {STAGED_BYTES} ]; then exit 0; fi
echo "sha256 $(sha256sum <"$package" 2>&1)"
case $package in
*.rpm) echo "name $(rpm -qp --nosignature --qf '%{{NAME}} %{{VERSION}}-%{{RELEASE}}' "$package" 2>/dev/null)" ;;
*.deb) echo "name $(dpkg-deb -W --showformat='${{Package}} ${{Version}}' "$package" 2>/dev/null)" ;;
esac""",
    readers=((StagedPackage, read_staged_package),),
    parameters=("package",),
    sample="undeclared\n",
)

# Both files on every machine: a frontend's answer also says that the backends' file is not there.
SECRETS = Probe(
    id="chef-secrets",
    language="sh",
    purpose="the SHA-256, mode, owner and group of the two files of secrets; never their content",
    script=f"""\
$SUDO sha256sum {BACKEND_SECRETS} {FRONTEND_SECRETS}
$SUDO stat -L -c %a/%U/%G%n {BACKEND_SECRETS} {FRONTEND_SECRETS}
exit 0""",
    readers=((SecretsFiles, read_secrets_files),),
    sample="b0cf292870f1c333c86aace18de4bbb322e962fc4953e2ae0816fa5ba2c0d889  "
    "/etc/chef-backend/chef-backend-secrets.json\n"
    "640/root/chef_pgsql/etc/chef-backend/chef-backend-secrets.json\n",
    sample_errors="sha256sum: /etc/opscode/private-chef-secrets.json: No such file or directory\n"
    "stat: /etc/opscode/private-chef-secrets.json: No such file or directory\n",
)

# By number, because a name may hold blanks. The folders are looked at without root, which needs no more than to see
# them: one that the account cannot see lies in one that is closed to it.
STRAYS = Probe(
    id="chef-secrets-stray",
    language="sh",
    purpose="where the backends' file of secrets lies, by its name, at most three folders deep, and who may get at it",
    script="""\
echo 'form 2'
if [ "$SUDO" ] || [ "$(id -u)" = 0 ]; then echo 'as root'; else echo 'as another'; fi
found=$($SUDO find /etc/chef-backend /root /home /tmp /var/tmp -xdev -maxdepth 3 -name chef-backend-secrets.json \
-exec ls -ldn {} +)
code=$?
if [ "$found" ]; then
    printf '%s\\n' "$found"
    set -f --
    line='
'
    IFS=$line above=$line
    for each in $found; do
        folder=/${each#* /} folder=${folder%% -> *} folder=${folder%/*}
        while [ "$folder" ]; do
            case $above in
            *"$line$folder$line"*) break ;;
            *) set -- "$@" "$folder"; above=$above$folder$line ;;
            esac
            folder=${folder%/*}
        done
    done
    if [ "$#" -gt 0 ]; then ls -ldn "$@" 2>/dev/null; fi
fi
echo end
exit $code""",
    readers=((StraySecrets, read_stray_secrets),),
    sample="form 2\n"
    "as root\n"
    "-rw-r--r-- 1 0 0 470 Nov 24 03:30 /etc/chef-backend/chef-backend-secrets.json\n"
    "drwxr-xr-x 8 0 0 4096 Nov 24 03:30 /etc\n"
    "drwxr-xr-x 8 0 0 4096 Nov 24 03:30 /etc/chef-backend\n"
    "end\n",
)

# A name leaves the node only where it looks like one: a line of a longer text may be a secret, so it is hashed whole.
# Form 2 and later say that values are hashed as what they mean; before, they were hashed as they stood there. From form
# 3 on an answer has an end: without one, a file of defaults and one that was cut off look alike.
CONFIG = Probe(
    id="chef-config",
    language="sh",
    purpose=f"at most {CONFIG_LINES} names of settings in chef-backend.rb, with hashes of their values; no value",
    script=f"""\
$SUDO cat {BACKEND_CONFIG} | {settings_of_stdin()} |
    while IFS= read -r line; do
        if [ "$line" = more ]; then echo 'set more'; break; fi
        kind=${{line%% *}} line=${{line#* }}
        key=${{line%% *}}
        printf '%s %s ' "$kind" "$key"
        printf %s "${{line#"$key "}}" | sha256sum
    done | {{
        echo 'form 3'
        while read -r kind key hashed rest; do
            case $key$hashed in more) echo 'set more' ;; *) printf '%s %s %.16s\\n' "$kind" "$key" "$hashed" ;; esac
        done
        echo end
    }}""",
    readers=((ConfigDigest, read_config_digest),),
    roles=("backend",),
    sample="form 3\nset publish_address 8b51baea68b18710\nset postgresql.max_connections deeeb5df3f2cee6b\nend\n",
)

LEADER = Probe(
    id="chef-leaderl",
    language="sh",
    purpose="whether leaderl on this backend answers as the leader, where chef-backend.rb says that it listens",
    script=ask_on_node(
        f"$SUDO cat {BACKEND_CONFIG}",
        scheme="http",
        port_setting="leaderl.http_port",
        port=7331,
        path="leader",
        address_setting="leaderl.http_address",
        with_body=False,
    ),
    readers=((LeaderAnswer, read_leader_answer),),
    sample="where default\nasked http://127.0.0.1:7331/leader\ncode 200\n",
)

DRBD = Probe(
    id="chef-drbd",
    language="sh",
    purpose="whether DRBD or keepalived is set up: two settings by name, packages, folders",
    script=f"""\
$SUDO grep -w -e topology -e backend_vip {FRONTEND_CONFIG} | cut -c 1-200
for path in /proc/drbd /var/opt/opscode/drbd /var/opt/opscode/keepalived; do
    if [ -e $path ]; then echo "path $path"; fi
done
{{ rpm -qa --qf '%{{NAME}}\\n'; dpkg-query -W -f='${{Package}}\\n'; }} 2>/dev/null |
    sed -n -e 's/^drbd[a-z0-9]*-utils$/package &/p' -e 's/^kmod-drbd.*/package &/p' -e 's/^chef-ha-drbd$/package &/p'
echo asked""",
    readers=((DrbdTraces, read_drbd_traces),),
    sample="asked\n",
)

PROBES: tuple[Probe, ...] = (PACKAGE, STAGED, SECRETS, STRAYS, CONFIG, LEADER, DRBD)
