"""Fixtures of the tests about KUDO packages: the operator of the blog, and small packages made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakePackage = Callable[..., Path]

OPERATOR = """\
apiVersion: kudo.dev/v1beta1
name: shop
operatorVersion: 0.1.0
kubernetesVersion: 1.17.0
plans:
  deploy:
    strategy: serial
    phases:
    - name: main
      strategy: serial
      steps:
      - name: everything
        tasks: [config]
tasks:
- name: config
  kind: Apply
  spec:
    resources: [config.yaml]
"""
PARAMETERS = """\
parameters:
- name: GREETING
  default: hello
"""
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Name }}-config
data:
  greeting: {{ .Params.GREETING }}
"""


@pytest.fixture
def blog(data: Path) -> Path:
    """Return the operator of the blog post, as it is at the post's end."""
    return data / "kudo" / "galera-blog"


@pytest.fixture
def firstboot(data: Path) -> Path:
    """Return the operator of the blog post, as it is when the post lists plans, tasks and parameters."""
    return data / "kudo" / "galera-blog-firstboot"


@pytest.fixture
def make_package(tmp_path: Path) -> MakePackage:
    """Return a function that writes a package; what is not given is a small valid operator named shop."""

    def make(
        operator: str = OPERATOR,
        parameters: str = PARAMETERS,
        templates: Mapping[str, str] | None = None,
        name: str = "package",
    ) -> Path:
        folder = tmp_path / name
        files = {"operator.yaml": operator, "params.yaml": parameters}
        given = {"config.yaml": TEMPLATE} if templates is None else templates
        files |= {f"templates/{path}": text for path, text in given.items()}
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return make
