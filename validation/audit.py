"""Known vulnerabilities of the versions in constraints.txt: ``python validation/audit.py``, a part of ``make check``.

pip-audit asks the advisories of the Python Package Index. Whatever is found is an error. Where nobody can be asked, as in a network that
reaches a mirror alone, this says how many versions were not judged, and is no error.
"""

import json
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).parents[1] / "constraints.txt"
COMMAND = ("--requirement", str(PINS), "--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json", "--desc", "off")
SECONDS = 300


def main() -> int:
    try:
        asked = subprocess.run([sys.executable, "-m", "pip_audit", *COMMAND], capture_output=True, text=True, timeout=SECONDS, check=False)
        judged = json.loads(asked.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        print("audit: the advisories cannot be asked from here; nothing was judged")  # noqa: T201
        return 0
    found = [(each, fault) for each in judged for fault in each.get("vulns", [])]
    for each, fault in found:
        mended = ", ".join(fault["fix_versions"]) or "no version"
        print(f"audit: {each['name']} {each['version']} has {fault['id']}, mended in {mended}")  # noqa: T201
    passed_over = sum("skip_reason" in each for each in judged)
    print(f"audit: {len(judged) - passed_over} versions judged, {passed_over} could not be, {len(found)} known vulnerabilities")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
