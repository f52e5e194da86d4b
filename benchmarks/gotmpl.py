"""How many times a second a template of 2 KB renders; prints one line a template.

    python benchmarks/gotmpl.py [--seconds 2]

Target: 3,000 renders a second of a 2 KB template, parsed once.
"""

from __future__ import annotations

import argparse
import time

from harness.gotmpl import KUDO_REMOVED, Template, sprig_v2_22

STATEFULSET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .Name }}-{{ .OperatorName }}
  namespace: {{ .Namespace }}
  labels:
    app: {{ .Name }}
    size: {{ .Params.NODE_COUNT | quote }}
spec:
  selector:
    matchLabels:
      app: {{ .Name }}
      instance: {{ .Name }}
  serviceName: {{ .Name }}-hs
  replicas: {{ .Params.NODE_COUNT }}
  template:
    metadata:
      labels:
        app: {{ .Name }}
        instance: {{ .Name }}
    spec:
      initContainers:
      {{- if eq .Params.BOOTSTRAP "true" }}
      - name: bootstrap
        image: {{ .Params.IMAGE }}
        command: ["/bin/sh", "-c", "/scripts/bootstrap.sh"]
      {{- end }}
      containers:
      - name: mariadb
        image: {{ .Params.IMAGE }}
        imagePullPolicy: {{ .Params.PULL_POLICY | default "IfNotPresent" }}
        args:
        - --wsrep_cluster_address=gcomm://{{ range $i, $v := untilStep 0 (int .Params.NODE_COUNT) 1 }}\
{{ if $i }},{{ end }}{{ $.Name }}-{{ $.OperatorName }}-{{ $v }}.{{ $.Name }}-hs{{ end }}
        env:
        - name: MYSQL_ROOT_PASSWORD
          valueFrom:
            secretKeyRef: {name: {{ .Name }}-credentials, key: root}
        ports:
        {{- range $name, $port := .Params.PORTS }}
        - name: {{ $name }}
          containerPort: {{ $port }}
        {{- end }}
        resources:
{{ toYaml .Params.RESOURCES | trim | indent 10 }}
        livenessProbe:
          exec: {command: ["/scripts/live.sh"]}
          initialDelaySeconds: {{ .Params.DELAY }}
          periodSeconds: {{ add (int .Params.DELAY) 5 }}
        volumeMounts:
        - name: {{ .Name }}-datadir
          mountPath: /var/lib/mysql
        - name: {{ .Name }}-config
          mountPath: /etc/mysql/conf.d
  volumeClaimTemplates:
  - metadata:
      name: {{ .Name }}-datadir
    spec:
      accessModes: [ "ReadWriteOnce" ]
      {{- with .Params.STORAGE_CLASS }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ .Params.VOLUME_SIZE }}
"""
CONFIG = (
    "[mysqld]\n"
    + "{{ .Params.IMAGE }} = {{ .Name | upper | quote }}\nplain text of a line that only stands here\n" * 22
)
DATA = {
    "Name": "galera",
    "OperatorName": "galera",
    "Namespace": "default",
    "Params": {
        "NODE_COUNT": "3",
        "BOOTSTRAP": "true",
        "IMAGE": "mariadb:11.4",
        "PULL_POLICY": "",
        "PORTS": {"mysql": 3306, "sst": 4444, "replication": 4567, "ist": 4568},
        "RESOURCES": {"requests": {"cpu": "500m", "memory": "512Mi"}},
        "DELAY": "30",
        "STORAGE_CLASS": "standard",
        "VOLUME_SIZE": "10Gi",
    },
}


def rate(text: str, seconds: float) -> float:
    """Return the renders a second of a template, over some seconds."""
    template = Template.parse(text, "bench.yaml", functions=sprig_v2_22(exclude=KUDO_REMOVED), missing_key="error")
    template.render(DATA)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        template.render(DATA)
        count += 1
    return count / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0)
    seconds = parser.parse_args().seconds
    for name, text in (
        ("statefulset, with toYaml", STATEFULSET),
        ("statefulset, without", STATEFULSET.replace("toYaml .Params.RESOURCES | trim", '"cpu: 1"')),
        ("configuration file", CONFIG),
    ):
        print(f"{name:<26} {len(text):>5} bytes  {rate(text, seconds):>9,.0f} renders a second")
    start = time.perf_counter()
    for _ in range(50):
        Template.parse(STATEFULSET, "bench.yaml", functions=sprig_v2_22())
    print(f"{'parsing the statefulset':<26} {len(STATEFULSET):>5} bytes  {(time.perf_counter() - start) * 20:>9.2f} ms")


if __name__ == "__main__":
    main()
