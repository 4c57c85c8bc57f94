# SPDX-License-Identifier: Apache-2.0
"""schema.py SCHEMA FILE... -- judges YAML files by a JSON Schema with the validator of PyPI (tests/clients/schema): for each file a line
`FILE ok` or `FILE PATH: why`, of the error that lies deepest. First the schema itself is judged; one that is none is exit 2."""
import json
import sys

import jsonschema
import yaml


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        print(error, file=sys.stderr)
        return 2
    validator = jsonschema.Draft7Validator(schema)
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            found = [at for error in validator.iter_errors(yaml.safe_load(file)) for at in [error, *(error.context or [])]]
        if not found:
            print(f"{path} ok")
            continue
        deepest = max(found, key=lambda error: len(error.absolute_path))
        print(f"{path} {'.'.join(map(str, deepest.absolute_path))}: {deepest.message[:200]}")
    return 0


sys.exit(main())
