"""The stand-in for the official MariaDB image, held to what that image's documentation promises.

One black-box table: what goes in by environment, files and arguments, and what comes out. An engine will do.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.airgap.engine import Docker
from harness.airgap.provision import Airgap
from harness.airgap.recipe import build_recipe, load_recipe
from harness.airgap.rootfs import Debian
from harness.kit.process import Completed, run
from harness.kit.waiting import Pending, until

pytestmark = pytest.mark.cluster

FAST = {"MARIADB_INITDB_SKIP_TZINFO": "1"}
ROOT = {"MARIADB_ROOT_PASSWORD": "secret", **FAST}
START = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A container of the image."""

    docker: Docker
    name: str

    def exec(self, *argv: str, user: str = "root", check: bool = True) -> Completed:
        return self.docker("exec", "--user", user, self.name, *argv, check=check)

    def sql(self, query: str, *, user: str = "root", password: str | None = None, host: str = "localhost") -> str:
        password = ROOT["MARIADB_ROOT_PASSWORD"] if password is None else password
        argv = ["mariadb", f"--user={user}", f"--host={host}", "--batch", "--skip-column-names", "--execute", query]
        return self.exec("env", f"MYSQL_PWD={password}", *argv).stdout.strip()

    def logs(self) -> str:
        done = self.docker("logs", self.name)
        return done.stdout + done.stderr

    def until_ready(self) -> Server:
        until(self._ready, timeout=START, wanted=f"the server in {self.name} to accept connections")
        return self

    def exit_code(self) -> int:
        return int(self.docker("wait", self.name, timeout=START).stdout)

    def _ready(self) -> bool | Pending:
        state = self.docker("inspect", "--format", "{{.State.Running}}", self.name).stdout.strip()
        if state != "true":
            pytest.fail(f"the server ended:\n{self.logs()[-2000:]}")
        if self.exec("healthcheck.sh", "--connect", check=False).returncode == 0:
            return True
        return Pending("not yet")


@pytest.fixture(scope="module")
def docker(project: Path) -> Docker:
    """The engine, with the image loaded."""
    airgap = Airgap()
    engine = airgap.engine().docker
    recipe = load_recipe(project / "suites/galera/image")
    debian = Debian(airgap.layout, airgap.machine, run, airgap.stages)
    engine("load", "--input", build_recipe(recipe, airgap.layout, debian, run), timeout=120.0)
    return engine


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def start(docker: Docker) -> Iterator[Start]:
    """Start containers; all of them are gone afterwards, with their volumes."""
    names: list[str] = []

    def begin(env: dict[str, str], *argv: str, mounts: dict[Path, str] | None = None, options: Any = ()) -> Server:
        names.append(f"harness-image-{uuid.uuid4().hex[:8]}")
        settings = [f"--env={name}={value}" for name, value in env.items()]
        volumes = [f"--volume={source}:{target}" for source, target in (mounts or {}).items()]
        docker(
            "run",
            "--detach",
            "--name",
            names[-1],
            "--network=none",
            *settings,
            *volumes,
            *options,
            "mariadb:10.11",
            *argv,
        )
        return Server(docker, names[-1])

    yield begin
    for name in names:
        docker("rm", "--force", "--volumes", name, check=False)


def open_to_all(folder: Path) -> None:
    """Let user 999 into a folder of pytest's, which are for the caller only."""
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(path.stat().st_mode | 0o055)


@pytest.fixture(scope="module")
def server(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server made with everything that one container can show."""
    folder = tmp_path_factory.mktemp("server")
    initdb, conf = folder / "initdb", folder / "conf.d"
    initdb.mkdir()
    conf.mkdir()
    open_to_all(folder)
    (initdb / "1-first.sql").write_text(
        "CREATE TABLE steps (n INT PRIMARY KEY AUTO_INCREMENT, what TEXT);\nINSERT INTO steps (what) VALUES ('sql');\n",
        encoding="utf-8",
    )
    (initdb / "2-sourced.sh").write_text(
        "docker_process_sql --database=app <<<\"INSERT INTO steps (what) VALUES ('sourced')\"\n", encoding="utf-8"
    )
    (initdb / "3-run.sh").write_text(
        '#!/bin/bash\nmariadb -uroot -p"$MARIADB_ROOT_PASSWORD" app -e "INSERT INTO steps (what) VALUES (\'run\')"\n',
        encoding="utf-8",
    )
    (initdb / "3-run.sh").chmod(0o755)
    (initdb / "4-notes.txt").write_text("not for the server", encoding="utf-8")
    (conf / "my.cnf").write_text("[mariadb]\nmax_connections = 77\ncollation-server = utf8mb4_bin\n", encoding="utf-8")
    env = {**ROOT, "MARIADB_DATABASE": "app", "MYSQL_USER": "it's me", "MYSQL_PASSWORD": "pass\\'word"}
    mounts = {initdb: "/docker-entrypoint-initdb.d", conf: "/etc/mysql/conf.d"}
    return start(env, "--ignore_db_dirs=lost+found", mounts=mounts).until_ready()


def test_process_one_is_the_server_as_mysql(server: Server) -> None:
    """PID 1 is mariadbd itself, run as user 999, with the arguments that were given."""
    shown = server.exec("ps", "-o", "uid=,args=", "-p", "1").stdout.split()
    assert shown == ["999", "mariadbd", "--ignore_db_dirs=lost+found"]


def test_secrets_do_not_stay_in_the_servers_environment(server: Server) -> None:
    """The server's own environment holds no password."""
    environment = server.exec("cat", "/proc/1/environ", user="mysql").stdout
    assert "MARIADB_DATABASE=app" in environment
    assert "PASSWORD" not in environment


def test_mounted_configuration_wins(server: Server) -> None:
    """What lies in conf.d is read after the image's own files, and the server listens on all addresses."""
    assert server.sql("SELECT @@max_connections, @@collation_server") == "77\tutf8mb4_bin"
    assert server.sql("SELECT IFNULL(@@bind_address, 'all')") in ("all", "*", "")


def test_names_are_not_resolved(server: Server) -> None:
    """As in the official image: no host cache, no reverse look-ups."""
    assert server.sql("SELECT @@skip_name_resolve, @@host_cache_size") == "1\t0"


def test_root_comes_in_from_everywhere_with_the_password(server: Server) -> None:
    """root@localhost and root@% exist, with the password; without it nobody comes in."""
    assert server.sql("SELECT CURRENT_USER()") == "root@localhost"
    assert server.sql("SELECT CURRENT_USER()", host="127.0.0.1") == "root@%"
    assert server.exec("mariadb", "-uroot", "-e", "SELECT 1", check=False).returncode != 0
    hosts = server.sql("SELECT host FROM mysql.user WHERE user = 'root' ORDER BY host").split()
    assert hosts == ["%", "localhost"]


def test_the_users_database_and_account(server: Server) -> None:
    """The user owns the database, whatever quotes are in name and password, and nothing else."""
    whoami = server.sql("SELECT CURRENT_USER()", user="it's me", password="pass\\'word", host="127.0.0.1")
    assert whoami == "it's me@%"
    databases = server.sql("SHOW DATABASES", user="it's me", password="pass\\'word", host="127.0.0.1").split()
    assert databases == ["app", "information_schema"]


def test_initdb_files_run_in_name_order(server: Server) -> None:
    """SQL is fed, scripts without an execute bit are sourced, those with one are run, the rest is ignored."""
    assert server.sql("SELECT GROUP_CONCAT(what ORDER BY n) FROM app.steps") == "sql,sourced,run"
    assert "ignoring /docker-entrypoint-initdb.d/4-notes.txt" in server.logs()


def test_no_test_database_and_no_anonymous_user(server: Server) -> None:
    """A fresh server is a clean one."""
    assert server.sql("SELECT COUNT(*) FROM mysql.global_priv WHERE user = ''") == "0"
    assert "test" not in server.sql("SHOW DATABASES").split()


PROGRAMS = """
    mariadb mysql mariadb-admin mysqladmin mariadbd mysqld mariadb-backup mariabackup mbstream my_print_defaults
    wsrep_sst_mariabackup wsrep_sst_rsync socat rsync ss lsof gawk hostname find
"""


@pytest.mark.parametrize("program", PROGRAMS.split())
def test_programs_that_operators_call_are_there(server: Server, program: str) -> None:
    """Operators, probes and state transfers find their programs, and their libraries with them."""
    found = server.exec("sh", "-c", f'ldd "$(command -v {program})" 2>&1 || command -v {program}')
    assert "not found" not in found.stdout


def test_the_galera_library_is_where_configurations_name_it(server: Server) -> None:
    """wsrep_provider is /usr/lib/galera/libgalera_smm.so in every published configuration."""
    assert "not found" not in server.exec("ldd", "/usr/lib/galera/libgalera_smm.so").stdout


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        (["--connect"], 0),
        (["--connect", "--innodb_initialized"], 0),
        (["--mariadbupgrade"], 0),
        (["--su-mysql", "--connect"], 0),
        (["--connect", "--galera_online"], 1),
        (["--galera_ready"], 1),
        (["--replication"], 1),
        (["--no-such-check"], 1),
        ([], 1),
    ],
)
def test_healthcheck_answers(server: Server, checks: list[str], code: int) -> None:
    """Each check holds or fails on its own; a server outside a cluster is neither online nor ready."""
    assert server.exec("healthcheck.sh", *checks, check=False).returncode == code


def test_restart_keeps_data_and_stop_is_clean(server: Server) -> None:
    """TERM ends the server cleanly within 10 s; on the same data nothing is initialised again."""
    server.docker("stop", "--time=10", server.name)
    assert server.docker("inspect", "--format", "{{.State.ExitCode}}", server.name).stdout.strip() == "0"
    assert "Shutdown complete" in server.logs()
    server.docker("start", server.name)
    server.until_ready()
    assert server.logs().count("Initializing database files") == 1
    assert server.sql("SELECT COUNT(*) FROM app.steps") == "3"


@pytest.mark.parametrize(
    ("env", "argv", "message"),
    [
        ({}, (), "password option is not specified"),
        ({**ROOT, "MARIADB_ROOT_PASSWORD_FILE": "/etc/hostname"}, (), "Both MARIADB_ROOT_PASSWORD and"),
        ({"MARIADB_ROOT_PASSWORD_FILE": "/no/such/file"}, (), "cannot be read"),
        ({**ROOT, "MARIADB_PASSWORD": "a", "MARIADB_PASSWORD_HASH": "b"}, (), "Cannot specify MARIADB_PASSWORD and"),
        (ROOT, ("--no-such-option",), "unknown option '--no-such-option'"),
    ],
)
def test_wrong_input_ends_the_container(start: Start, env: dict[str, str], argv: tuple[str, ...], message: str) -> None:
    """A wrong setting is an exit code of 1 and a reason in the log, never a server that half works."""
    failed = start(env, *argv)
    assert failed.exit_code() == 1
    assert message in failed.logs()


def test_a_password_from_a_file(start: Start, tmp_path: Path) -> None:
    """_FILE gives the content of the file; ROOT_HOST=localhost makes no root that comes from elsewhere."""
    (tmp_path / "password").write_text("from file\n", encoding="utf-8")
    env = {**FAST, "MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/password", "MARIADB_ROOT_HOST": "localhost"}
    server = start(env, mounts={tmp_path: "/run/secrets"}).until_ready()
    assert server.sql("SELECT host FROM mysql.user WHERE user = 'root'", password="from file") == "localhost"


def test_a_hash_instead_of_a_password(start: Start) -> None:
    """With ROOT_PASSWORD_HASH the clear text is nowhere in the container."""
    known = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"  # PASSWORD('secret')
    server = start({**FAST, "MARIADB_ROOT_PASSWORD_HASH": known}).until_ready()
    assert server.sql("SELECT CURRENT_USER()", host="127.0.0.1") == "root@%"


def test_a_random_password_is_told_once(start: Start) -> None:
    """The generated password is in the log, and it is root's."""
    server = start({**FAST, "MYSQL_RANDOM_ROOT_PASSWORD": "yes"}).until_ready()
    lines = [line for line in server.logs().splitlines() if "GENERATED ROOT PASSWORD" in line]
    assert len(lines) == 1
    assert server.sql("SELECT CURRENT_USER()", password=lines[0].rpartition(": ")[2]) == "root@localhost"


def test_an_empty_password_must_be_asked_for(start: Start) -> None:
    """ALLOW_EMPTY_ROOT_PASSWORD gives a root without a password."""
    server = start({**FAST, "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "1"}).until_ready()
    assert server.sql("SELECT 1", password="") == "1"


def test_a_folder_named_mysql_means_data_is_there(start: Start, tmp_path: Path) -> None:
    """With an empty mysql/ in the data folder nothing is initialised: a joiner gets its data by state transfer."""
    (tmp_path / "mysql").mkdir()
    failed = start(ROOT, mounts={tmp_path: "/var/lib/mysql"})
    assert failed.exit_code() != 0
    assert "Initializing database files" not in failed.logs()
    assert (tmp_path / "mysql").stat().st_uid == 999


def test_an_upgrade_runs_only_when_asked_for(start: Start, docker: Docker, tmp_path: Path) -> None:
    """Data of unknown version is left alone; with AUTO_UPGRADE it is backed up, upgraded, and served."""
    mounts = {tmp_path: "/var/lib/mysql"}
    server = start(ROOT, mounts=mounts).until_ready()
    docker("stop", server.name)
    (tmp_path / "mysql_upgrade_info").unlink()
    server = start(ROOT, mounts=mounts).until_ready()
    docker("stop", server.name)
    assert "upgrade information missing" in server.logs()
    server = start({**ROOT, "MARIADB_AUTO_UPGRADE": "1"}, mounts=mounts).until_ready()
    assert "Finished mariadb-upgrade" in server.logs()
    assert list(tmp_path.glob("system_mysql_backup_*.sql.zst"))
    assert server.sql("SELECT 1") == "1"
    assert server.exec("healthcheck.sh", "--mariadbupgrade", check=False).returncode == 0


def test_another_command_is_just_run(start: Start) -> None:
    """What is not the server is started as it is, without any set-up."""
    other = start({}, "sh", "-c", "echo hello from $(id -un)")
    assert other.exit_code() == 0
    assert other.logs().strip() == "hello from root"


def test_help_needs_no_password(start: Start) -> None:
    """--version and --help answer on a machine without any data."""
    shown = start({}, "--version")
    assert shown.exit_code() == 0
    assert "10.11" in shown.logs()
