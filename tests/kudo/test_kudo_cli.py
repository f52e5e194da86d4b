"""The command line: the outputs of the blog post, the messages and exit codes, and what start-up may load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import kube
from harness.kudo.cli import main
from tests.kudo.conftest import OPERATOR, PARAMETERS, TEMPLATE, MakePackage
from tests.kudo.fakes import FakeCluster

BAR = "│\u00a0\u00a0 "

# From the post; the table of parameters has its column Immutable since then, and the last column is padded too.
PLANS = f"""\
plans
└── deploy (serial)
    └── [phase]  deploy (serial)
        ├── [step]  bootstrap_config
        {BAR}└── bootstrap_config
        ├── [step]  bootstrap_service
        {BAR}└── bootstrap_service
        ├── [step]  bootstrap_deploy
        {BAR}└── bootstrap_deploy
        └── [step]  firstboot_config
            └── firstboot_config

"""
TASKS = """\
Name             	Kind 	Resources               
bootstrap_config 	Apply	[bootstrap_config.yaml] 
bootstrap_service	Apply	[bootstrap_service.yaml]
bootstrap_deploy 	Apply	[bootstrap_deploy.yaml] 
firstboot_config 	Apply	[galera_config.yaml]    
"""  # noqa: W291 - tables are padded
TABLE = """\
Name               	Default	Required	Immutable
IST_PORT           	4568   	true    	false    
MYSQL_PORT         	3306   	true    	false    
MYSQL_ROOT_PASSWORD	admin  	true    	false    
NODE_COUNT         	3      	true    	false    
REPLICATION_PORT   	4567   	true    	false    
SST_PASSWORD       	admin  	true    	false    
SST_PORT           	4444   	true    	false    
SST_USER           	root   	true    	false    
"""  # noqa: W291 - tables are padded
ADDRESSES = (
    "gcomm://galera-instance-bootstrap-svc,galera-instance-galera-0.galera-instance-hs,"
    "galera-instance-galera-1.galera-instance-hs,galera-instance-galera-2.galera-instance-hs"
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command and returns exit code, stdout and stderr."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as error:  # argparse ends the process itself
            code = int(error.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Let commands talk to a cluster in memory."""
    fake = FakeCluster()
    fake.default_namespace = "shop"  # type: ignore[attr-defined]  # what a client has beside the protocol
    fake.close = lambda: fake.writes.append("closed")  # type: ignore[attr-defined]
    monkeypatch.setattr(kube.Kube, "connect", lambda *_words, **_options: fake)
    return fake


@pytest.mark.parametrize(("what", "expected"), [("plans", PLANS), ("tasks", TASKS), ("parameters", TABLE)])
def test_the_listings_of_the_blog(
    run: Run, firstboot: Path, monkeypatch: pytest.MonkeyPatch, what: str, expected: str
) -> None:
    """In the operator's folder, with a dot as the post writes it, and without."""
    monkeypatch.chdir(firstboot)
    assert run("package", "list", what, ".") == (0, expected, "")
    assert run("package", "list", what) == (0, expected, "")
    monkeypatch.chdir(firstboot.parent)
    assert run("package", "list", what, "./galera-blog-firstboot/") == (0, expected, "")


def test_the_operator_of_the_blog_is_valid(run: Run, blog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the post checks it."""
    monkeypatch.chdir(blog)
    assert run("package", "verify", ".") == (0, "package is valid\n", "")


def test_the_config_of_the_blog(run: Run, blog: Path) -> None:
    """The addresses that the post looks for in its ConfigMap."""
    code, out, _err = run("package", "render", blog, "--step", "firstboot_config")
    assert code == 0
    assert f"    wsrep_cluster_address = {ADDRESSES}\n" in out
    assert '    wsrep_sst_auth = "root:admin"\n' in out
    assert out.startswith("# deploy/deploy/firstboot_config/firstboot_config: apply galera_config.yaml\n")


def test_a_package_that_is_not_valid(run: Run, make_package: MakePackage) -> None:
    """Tables on stdout as in the original; the count, the places and the hints on stderr; exit code 1."""
    folder = make_package(OPERATOR.replace("tasks: [config]", "tasks: [confg]"))
    code, out, err = run("package", "verify", folder)
    assert code == 1
    assert out == (
        "Warnings                          \n"
        'task "config" defined but not used\n'
        "Errors                                      \n"
        'task "confg" in plan "deploy" is not defined\n'
    )
    assert err == (
        f'Error: found 1 package verification errors\n  seen    {folder}/operator.yaml:13:17: did you mean "config"?\n'
    )


def test_the_result_of_verify_as_an_object(run: Run, make_package: MakePackage) -> None:
    """Only the object on stdout; the exit code stays."""
    code, out, _err = run("package", "verify", make_package(templates={}), "-o", "json")
    assert code == 1
    assert json.loads(out) == {
        "errors": ['template "config.yaml" required by config but is not defined'],
        "valid": False,
        "warnings": ['parameter "GREETING" defined but not used.'],
    }


def test_ignored_keys_are_warned_of(run: Run, make_package: MakePackage) -> None:
    """On stderr, since the original says nothing."""
    folder = make_package(OPERATOR + "verison: 1\n")
    code, out, err = run("package", "verify", folder)
    assert (code, out) == (0, "package is valid\n")
    assert err.startswith(f'Warning: {folder}/operator.yaml:19:1: unknown key "verison" of the operator is ignored')


def test_checks_of_descriptions(run: Run, make_package: MakePackage) -> None:
    """Named with commas between them."""
    code, out, _err = run("package", "verify", make_package(), "--param-checks", "type,desc")
    assert code == 0
    assert out.split("\n")[1].rstrip() == 'parameter "GREETING" has no description'


def test_wrong_yaml(run: Run, make_package: MakePackage) -> None:
    """One message with the place; exit code 2."""
    folder = make_package(parameters="parameters:\n- name: [\n")
    code, out, err = run("package", "list", "plans", folder)
    assert (code, out) == (2, "")
    assert err.startswith("Error: wanted YAML\n  seen    ")
    assert f"  where   {folder}/params.yaml:3:1" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("install",), "expecting exactly one argument - name of the package or path to install"),
        (("install", "a", "b"), "expecting exactly one argument - name of the package or path to install"),
        (("upgrade",), "expecting exactly one argument - name of the package or path to upgrade"),
        (("upgrade", "."), "please use --instance and specify instance name. It cannot be empty"),
        (("update", "x"), "expecting no arguments provided for update. Only named flags are accepted"),
        (("update",), "--instance flag has to be provided to indicate which instance you want to update"),
        (
            ("update", "--instance", "x"),
            "need to specify at least one parameter to override via -p otherwise there is nothing to update",
        ),
        (("update", "--instance", "x", "-p", "a"), "could not parse parameters: parameter not set: a"),
        (("plan", "status"), "please choose the instance with '--instance=<instanceName>'"),
        (("plan", "history"), "please choose the instance with '--instance=<instanceName>'"),
        (("plan", "trigger", "--instance", "x"), "please choose the plan name with '--name=<planName>'"),
        (("get",), 'expecting exactly one argument - "instances, operators, operatorversions or all"'),
        (("get", "x"), 'expecting one of "instances, operators, operatorversions or all" and not "x"'),
        (("get", "all", "-o", "xml"), "invalid output format, only support 'yaml' or 'json' or empty"),
        (
            ("package", "list", "plans", "a", "b"),
            "expecting exactly one argument - name of the package or path to list",
        ),
        (
            ("package", "list", "parameters", "-d", "--names", "."),
            "only one of the flags 'required', 'names', 'descriptions' can be set",
        ),
        (("uninstall",), 'required flag(s) "instance" not set'),
        (("uninstall", "x"), "expecting no arguments provided for uninstall. Only named flags are accepted"),
        (("package", "verify", "none"), "expecting exactly one argument - directory of the operator to verify"),
        (("get", "all", "--validate-install=maybe"), 'argument --validate-install: invalid boolean value "maybe"'),
        (("package", "bogus"), "argument COMMAND: invalid choice: 'bogus'"),
        (("install", "--bogus"), "unrecognized arguments: --bogus"),
    ],
)
def test_wrong_usage(run: Run, words: tuple[str, ...], message: str) -> None:
    """The original's messages, exit code 2, and no cluster is asked."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {message}")


def test_parameters_by_need_and_by_name(run: Run, make_package: MakePackage) -> None:
    """Only the names, sorted; a line when there are none."""
    folder = make_package(parameters=PARAMETERS + "- name: B\n- name: A\n- name: C\n  required: false\n")
    assert run("package", "list", "parameters", folder, "--required")[1] == "Name\nA   \nB   \n"
    assert run("package", "list", "parameters", folder, "--names")[1].split() == ["Name", "A", "B", "C", "GREETING"]
    full = make_package(name="full")
    assert (
        run("package", "list", "parameters", "-r", full)[1] == "no required parameters without default values found\n"
    )


def test_packages_without_plans_and_tasks(run: Run, make_package: MakePackage) -> None:
    """One line each."""
    folder = make_package("name: x\n")
    assert run("package", "list", "plans", folder)[1] == "no plans found\n"
    assert run("package", "list", "tasks", folder)[1] == "no tasks  found\n"


def test_packing(run: Run, make_package: MakePackage, tmp_path: Path) -> None:
    """The path is printed; a package that is not valid is not packed."""
    folder = make_package()
    assert run("package", "create", folder, "-d", tmp_path) == (0, f"Package created: {tmp_path}/shop-0.1.0.tgz\n", "")
    code, _out, err = run("package", "create", folder, "-d", tmp_path)
    assert (code, err.split("\n")[0]) == (2, f'Error: target file "{tmp_path}/shop-0.1.0.tgz" already exists')
    assert run("package", "create", folder, "-d", tmp_path, "-w", "-o", "yaml") == (0, "", "")
    broken = make_package(templates={}, name="broken")
    assert run("package", "create", broken, "-d", tmp_path)[0] == 1


def test_rendering_with_bad_values(run: Run, blog: Path) -> None:
    """Unknown names are refused with the one that was meant."""
    code, out, err = run("package", "render", blog, "-p", "NODE_CUONT=5")
    assert (code, out) == (2, "")
    assert 'did you mean "NODE_COUNT"?' in err


def test_a_template_error_has_its_place(run: Run, make_package: MakePackage) -> None:
    """File, line and column, and Go's text."""
    code, _out, err = run("package", "render", make_package(templates={"config.yaml": TEMPLATE + "  x: {{ .Oops }}\n"}))
    assert code == 2
    assert '<.Oops>: map has no entry for key "Oops"' in err
    assert "  where   templates/config.yaml:7:9\n" in err


def test_a_life_of_an_instance(run: Run, cluster: FakeCluster, make_package: MakePackage) -> None:
    """Install, status, update, trigger, get and uninstall, with flags before and behind the command."""
    folder = make_package()
    assert run("install", folder, "--instance=db", "-p", "GREETING=hi") == (
        0,
        "operator shop/shop created\noperatorversion shop/shop-0.1.0 created\ninstance shop/db created\n",
        "",
    )
    assert cluster.writes[-1] == "closed"
    cluster.set_plan("db", "deploy", "COMPLETE")
    assert run("plan", "status", "--instance", "db")[1].startswith('Plan(s) for "db" in namespace "shop":\n.\n└── db (')
    assert run("update", "--instance", "db", "-p", "GREETING=ho")[1] == "Instance db was updated.\n"
    cluster.set_plan("db", "deploy", "COMPLETE")
    code, out, _err = run("plan", "trigger", "--instance", "db", "--name", "deploy")
    assert (code, out) == (0, "Triggered deploy plan for shop/db instance\n")
    assert run("plan", "history", "--instance", "db")[1].startswith(".\n└── deploy (last finished run at ")
    assert run("get", "instances")[1] == 'List of current installed instances in namespace "shop":\n.\n└── db\n\n'
    assert 'namespace "other"' in run("-n", "other", "get", "instances")[1]
    assert 'namespace "other"' in run("get", "instances", "--namespace", "other")[1]
    assert run("uninstall", "--instance", "db") == (0, "instance.kudo.dev/v1beta1/db deleted\n\n", "")
    code, _out, err = run("uninstall", "--instance", "db")
    assert (code, err) == (1, "Error: instance db in namespace shop does not exist in the cluster\n")


def test_waiting_from_the_command_line(run: Run, cluster: FakeCluster, make_package: MakePackage) -> None:
    """An installation is waited for; a watched status shows each change."""
    cluster.later = [lambda: cluster.set_plan("shop-instance", "deploy", "IN_PROGRESS")]
    code, out, err = run("install", make_package(), "--wait", "--wait-time", "5")
    assert (code, out.split("\n")[-2]) == (1, "timeout waiting for instance shop/shop-instance")
    assert "timed out waiting for the condition\n  seen    plan deploy is IN_PROGRESS" in err
    cluster.later = [lambda: cluster.set_plan("shop-instance", "deploy", "COMPLETE")]
    code, out, _err = run("plan", "status", "--instance", "shop-instance", "--wait")
    assert (code, out.count("Plan(s) for"), out.count("[COMPLETE]")) == (0, 2, 3)


def test_upgrading_from_the_command_line(run: Run, cluster: FakeCluster, make_package: MakePackage) -> None:
    """The new version, and the instance that moves to it."""
    run("install", make_package())
    cluster.set_plan("shop-instance", "deploy", "COMPLETE")
    newer = make_package(OPERATOR.replace("operatorVersion: 0.1.0", "operatorVersion: 0.2.0"), name="newer")
    assert run("upgrade", newer, "--instance", "shop-instance") == (
        0,
        "operatorversion shop/shop-0.2.0 created\ninstance shop/shop-instance updated\n",
        "",
    )


def test_a_cluster_without_the_definitions(run: Run, cluster: FakeCluster) -> None:
    """The line and the error of the original, and the command that mends it; the check can be left out."""
    cluster.objects.clear()
    assert run("get", "instances") == (
        1,
        "KUDO CRDs are not served in the expected version.\n",
        "Error: CRDs invalid: CRD operators.kudo.dev is not installed\n  next    kubectl kudo init --crd-only\n",
    )
    assert run("get", "instances", "--validate-install=false")[0] == 0


def test_init_installs_definitions_only(run: Run, cluster: FakeCluster) -> None:
    """Anything more is refused, with what to do instead."""
    code, _out, err = run("init")
    assert code == 2
    assert "kubectl kudo init --crd-only" in err


def test_the_version(run: Run) -> None:
    """That of the behaviour, and ours as the commit."""
    assert run("version")[1].startswith('KUDO Version: version.Info{GitVersion:"0.19.0", GitCommit:"operator-harness-')
    assert run("--version") == run("version")
    assert json.loads(run("version", "-o", "json")[1])["clientVersion"]["gitVersion"] == "0.19.0"


def test_help_is_printed_where_a_command_is_missing(run: Run) -> None:
    """At each level."""
    for words in ((), ("package",), ("package", "list"), ("plan",)):
        code, out, _err = run(*words)
        assert (code, out.split(":")[0]) == (0, "usage")


def test_an_interrupt_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130."""

    def interrupt(*_words: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kube.Kube, "connect", interrupt)
    code, _out, err = run("get", "all")
    assert (code, err) == (130, "\nError: interrupted\n")


def test_commands_about_packages_load_no_client(blog: Path) -> None:
    """In a process of their own, so that nothing is loaded already."""
    program = (
        "import sys\n"
        "from harness.kudo.cli import main\n"
        f"main(['package', 'list', 'plans', {str(blog)!r}])\n"
        "print(sorted({'kubernetes', 'pymysql', 'tenacity', 'harness.kube', 'harness.gotmpl'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split("\n")[-2] == "[]"
