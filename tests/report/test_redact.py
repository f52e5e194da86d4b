"""Redaction: what must not be seen is not, and what a reader needs still is."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.report.redact import MASK, Redactor, is_sensitive

PASSWORD = "Tr0ub4dor&3"


def secret(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def learnt(**data: str) -> Redactor:
    redactor = Redactor()
    redactor.learn(secret(**data))
    return redactor


@pytest.mark.parametrize(
    "key",
    ["password", "MYSQL_ROOT_PASSWORD", "rootPassword", "passwd", "DB_PASS", "pwd", "token", "apiKey", "api-key",
     "SECRET_ID", "client_secret", "privateKey", "wsrep_sst_auth", "SST_AUTH", "PASSWORD_HASH", "ssl-key"],
)  # fmt: skip
def test_names_of_secrets_are_known(key: str) -> None:
    """Values under such names are masked."""
    assert is_sensitive(key)


@pytest.mark.parametrize(
    "key",
    ["secretName", "PASSWORD_FILE", "tokenExpirationSeconds", "key", "bypass", "compass", "SST_USER", "secretRef",
     "secret-namespace", "TOKEN_URL", "secret.yaml", "name", "NODE_COUNT", "monkey", "access_key_id"],
)  # fmt: skip
def test_names_of_other_things_are_left_alone(key: str) -> None:
    """Where a secret is kept is no secret."""
    assert not is_sensitive(key)


def test_a_secrets_values_are_masked_and_its_keys_are_not() -> None:
    """Of a Secret the keys are shown, of data and stringData nothing."""
    shown = Redactor().manifest({**secret(password=PASSWORD, user="app"), "stringData": {"x": PASSWORD}})
    assert shown["data"] == {"password": MASK, "user": MASK}
    assert shown["stringData"] == {"x": MASK}


def test_a_known_value_is_masked_in_all_its_forms() -> None:
    """Plain, base64 (with and without the newline that echo adds), URL and JSON forms do not pass."""
    redactor = learnt(password=PASSWORD)
    forms = [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(PASSWORD.encode()).decode().rstrip("="),
        base64.b64encode(f"{PASSWORD}\n".encode()).decode(),
        "Tr0ub4dor%263",
    ]
    for form in forms:
        assert redactor.text(f"found {form} here") == f"found {MASK} here"
    quoted = learnt(password='a"b\\cdef')
    assert "cdef" not in quoted.text(json.dumps({"said": 'a"b\\cdef'}))


def test_the_input_is_not_changed() -> None:
    """Redacting works on a copy."""
    value = secret(password=PASSWORD)
    before = json.dumps(value)
    Redactor().manifest(value)
    assert json.dumps(value) == before


def test_user_names_and_common_words_of_a_secret_stay_readable() -> None:
    """A Secret's user, host and port are no secrets, and values like true or root would eat the text."""
    redactor = learnt(username="application", host="db.example", mode="true", account="root", pin="123")
    text = "user application on db.example mode true as root 123"
    assert redactor.text(text) == text


def test_a_short_known_value_is_no_part_of_a_longer_name() -> None:
    """The password "admin" does not eat the name of a program."""
    redactor = Redactor(["admin"])
    assert redactor.text("mariadb-admin: access denied, using admin") == f"mariadb-admin: access denied, using {MASK}"


def test_a_short_known_value_is_masked_as_a_word() -> None:
    """The password admin is hidden, the program mysqladmin is not."""
    assert learnt(password="admin").text("mysqladmin said admin:admin") == f"mysqladmin said {MASK}:{MASK}"


def test_a_key_file_is_masked_line_by_line() -> None:
    """Each long line of a multi-line secret is known; a private key's block goes even when it is not."""
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
    redactor = learnt(**{"tls.key": f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"})
    assert line not in redactor.text(f"log: {line}")
    assert line not in Redactor().text(f"x\n-----BEGIN RSA PRIVATE KEY-----\n{line}\n-----END RSA PRIVATE KEY-----\ny")


def test_secrets_inside_of_a_secret_file_are_learnt() -> None:
    """A registry login and an options file name passwords that may stand alone elsewhere."""
    login = json.dumps(
        {"auths": {"r.example": {"username": "bob", "password": "hunter2hunter", "auth": "Ym9iOmh1bnRlcjI="}}}
    )
    redactor = learnt(
        **{".dockerconfigjson": login, "my.cnf": "[mysqld]\nwsrep_sst_auth = sst:backup-pw\npassword=opt-pw-1\n"}
    )
    for value in ("hunter2hunter", "Ym9iOmh1bnRlcjI=", "backup-pw", "opt-pw-1"):
        assert redactor.text(f"<{value}>") == f"<{MASK}>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2", f"password={MASK}"),
        ("connect host=db password=hunter2 port=3306", f"connect host=db password={MASK} port=3306"),
        ('{"rootPassword":"hunter2","x":1}', f'{{"rootPassword":"{MASK}","x":1}}'),
        ("wsrep_sst_auth = root:hunter2", f"wsrep_sst_auth = {MASK}"),
        ('wsrep_sst_auth="root:hun ter2"\nuser=x', f"wsrep_sst_auth={MASK}\nuser=x"),
        ("password = two words # hunter2", f"password = {MASK}"),
        ("export DB_PASSWORD='hunter2 x'", f"export DB_PASSWORD={MASK}"),
        ("Authorization: Bearer hunter2", f"Authorization: {MASK}"),
        ('curl -H "Authorization: Basic aHVudGVyMg==" http://x', f'curl -H "Authorization: {MASK}" http://x'),
        ("mysql://root:hunter2@db:3306/x", f"mysql://root:{MASK}@db:3306/x"),
        ("CREATE USER x IDENTIFIED BY 'hunter2'", f"CREATE USER x IDENTIFIED BY '{MASK}'"),
        ("SET PASSWORD FOR x = PASSWORD('hunter2')", f"SET PASSWORD FOR x = PASSWORD('{MASK}')"),
        ("mariadb-admin -uroot -phunter2 ping", f"mariadb-admin -uroot -p{MASK} ping"),
        ("tool --password hunter2 --verbose", f"tool --password {MASK} --verbose"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl", MASK),
    ],
)  # fmt: skip
def test_places_of_secrets_in_texts_are_masked(text: str, shown: str) -> None:
    """Assignments, headers, URLs, SQL and command lines lose their secrets and keep the rest."""
    assert Redactor().text(text) == shown
    assert Redactor().text(shown) == shown, "redacting twice changes nothing"


@pytest.mark.parametrize(
    "text",
    [
        "Access denied for user 'root'@'10.0.0.1' (using password: YES)",
        'MountVolume.SetUp failed for volume "creds" : secret "db-credentials" not found',
        "couldn't find key root-password in Secret ns/db",
        "automountServiceAccountToken: false",
        "secretName: db-credentials",
        "Readiness probe failed: dial tcp 10.0.0.1:3306: connect: connection refused",
        "http://db:3306/path@x",
    ],
)
def test_what_a_reader_needs_stays(text: str) -> None:
    """Messages about secrets that hold none are left as they are."""
    assert Redactor().text(text) == text


def test_objects_lose_env_values_parameters_and_arguments() -> None:
    """Sensitive env, parameters, their defaults, and arguments behind a flag are masked; references are not."""
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p", "managedFields": [{"manager": "x"}]},
        "spec": {
            "automountServiceAccountToken": True,
            "volumes": [{"name": "v", "secret": {"secretName": "db", "items": [{"key": "token", "path": "token"}]}}],
            "containers": [
                {
                    "name": "c",
                    "args": ["--password", "hunter2", "--user=x", "--root-password=hunter2"],
                    "env": [
                        {"name": "MYSQL_ROOT_PASSWORD", "value": "hunter2"},
                        {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
                        {"name": "PASSWORD_FILE", "value": "/run/pw"},
                    ],
                }
            ],
        },
    }
    shown = Redactor().manifest(pod)
    container = shown["spec"]["containers"][0]
    assert container["args"] == ["--password", MASK, "--user=x", f"--root-password={MASK}"]
    assert container["env"][0]["value"] == MASK
    assert container["env"][1:] == pod["spec"]["containers"][0]["env"][1:]  # type: ignore[index]
    assert shown["spec"]["volumes"] == pod["spec"]["volumes"]  # type: ignore[index]
    assert "managedFields" not in shown["metadata"]


def test_custom_resources_lose_their_passwords() -> None:
    """A KUDO instance's parameters and an operator version's defaults are masked by name."""
    instance = {
        "kind": "Instance",
        "spec": {"parameters": {"SST_PASSWORD": "hunter2", "TOKEN": "abcd", "NODE_COUNT": "3"}},
    }
    assert Redactor().manifest(instance)["spec"]["parameters"] == {
        "SST_PASSWORD": MASK,
        "TOKEN": MASK,
        "NODE_COUNT": "3",
    }
    version = {"kind": "OperatorVersion", "spec": {"parameters": [{"name": "SST_PASSWORD", "default": "hunter2"}]}}
    assert Redactor().manifest(version)["spec"]["parameters"] == [{"name": "SST_PASSWORD", "default": MASK}]


def test_the_last_applied_annotation_is_masked_inside() -> None:
    """An object inside an annotation is treated as that object."""
    inner = json.dumps(secret(password=PASSWORD))
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": inner, "broken": '{"password":"hunter2"'}
    shown = Redactor().manifest({"kind": "Secret", "metadata": {"annotations": annotations}})["metadata"]["annotations"]
    assert json.loads(shown["kubectl.kubernetes.io/last-applied-configuration"])["data"] == {"password": MASK}
    assert "hunter2" not in shown["broken"]


def test_config_map_lines_are_masked() -> None:
    """Lines of configuration in a ConfigMap lose their secrets; binary data that holds one goes whole."""
    binary = base64.b64encode(b"password=hunter2").decode()
    value = {
        "kind": "ConfigMap",
        "data": {"galera.cnf": "[mysqld]\nwsrep_sst_auth=root:hunter2\nbinlog_format=ROW\n", "token": "abcdef"},
        "binaryData": {"a": binary, "b": base64.b64encode(b"\xff\x00").decode(), "c": "AAAA"},
    }
    shown = Redactor().manifest(value)
    assert shown["data"]["galera.cnf"] == f"[mysqld]\nwsrep_sst_auth={MASK}\nbinlog_format=ROW\n"
    assert shown["data"]["token"] == MASK
    assert shown["binaryData"] == {"a": MASK, "b": "/wA=", "c": "AAAA"}


def test_values_seen_in_objects_are_masked_in_logs() -> None:
    """A password given in clear in an env or a parameter is known from then on."""
    redactor = Redactor()
    redactor.learn({"kind": "Instance", "spec": {"parameters": {"ROOT_PASSWORD": "hunter2hunter"}}})
    redactor.learn({"kind": "Pod", "spec": {"containers": [{"env": [{"name": "PASSWORD", "value": "swordfish9"}]}]}})
    assert redactor.text("hunter2hunter swordfish9") == f"{MASK} {MASK}"


def test_files_and_references_are_not_learnt_from_other_objects() -> None:
    """A template called secret.yaml is masked line by line; references, paths and files make no word a secret."""
    template = "kind: Secret\nmetadata: {name: credentials}\npassword: hunter2\n"
    version = {
        "kind": "OperatorVersion",
        "spec": {
            "templates": {"secret.yaml": template},
            "parameters": {"A_TOKEN": "{{ .Name }}", "B_TOKEN": "/etc/passwd"},
        },
    }
    script = {"kind": "ConfigMap", "data": {"token": "first line of a file\nsecond line of a file\n"}}
    redactor = Redactor()
    redactor.learn(version)
    redactor.learn(script)
    text = "metadata: {name: credentials} {{ .Name }} /etc/passwd first line of a file"
    assert redactor.text(text) == text
    assert redactor.manifest(version)["spec"]["templates"]["secret.yaml"] == template.replace("hunter2", MASK)


def test_a_broken_secret_does_not_stop_redaction() -> None:
    """Data that is not base64, or not text, is taken as it stands."""
    redactor = Redactor(["extra-value"])
    redactor.learn(
        {"kind": "Secret", "data": {"a": "not base64!", "b": base64.b64encode(b"\xff\xfe\xfd\xfc").decode()}}
    )
    assert redactor.text("not base64! //79/A== extra-value") == f"{MASK} {MASK} {MASK}"


SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Z"]), min_size=8, max_size=40
)
AROUND = st.text(max_size=60)


@given(value=SECRETS, before=AROUND, after=AROUND)
@settings(max_examples=150, deadline=None)
def test_no_known_value_passes_whatever_stands_around_it(value: str, before: str, after: str) -> None:
    """In any text and any place of an object, a Secret's value and its base64 are masked."""
    assume(value not in MASK)
    redactor = learnt(password=value)
    encoded = base64.b64encode(value.encode()).decode()
    shown = redactor.text(f"{before} {value} {encoded} {after}")
    assert value not in shown.replace(MASK, "\0")
    assert encoded not in shown
    pod = {"kind": "Pod", "metadata": {"annotations": {"a": f"{before}{value}"}}, "spec": {"args": [f"{value}{after}"]}}
    assert value not in json.dumps(redactor.manifest(pod), ensure_ascii=False).replace(MASK, "\0")


def test_long_texts_are_redacted_quickly() -> None:
    """A megabyte on one line takes no quadratic time."""
    begun = time.monotonic()
    Redactor(["some-secret"]).text("a" * 300_000 + "." * 300_000 + "x=" * 100_000 + "password" * 20_000)
    assert time.monotonic() - begun < 5
