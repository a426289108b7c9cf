#!/usr/bin/env python3
"""pyyaml.py [RANDOM [SEED]] > pyyaml.jsonl -- texts and what PyYAML's safe loader (cloud-init's) makes of them; no "value" where it raises
an error. With a number, that many random texts more. The checked in table was made with PyYAML 6.0.3."""
import json, random, re, sys, yaml

TEXTS = r"""
datasource_list: [ NoCloud, ConfigDrive, None ]
~~
datasource_list:
- ConfigDrive # first
- 'NoCloud'
~~
"datasource_list": [
  ConfigDrive,
  "NoCloud",
]
~~
a: b: c
~~
a: [x
~~
- a
- b
~~
just words
~~
a: !thing x
~~
a: !!str 1
~~
a: !!int "7"
~~
a: !!python/tuple [1]
~~
a: 1
---
b: 2
~~
---
a: 1
...
~~
%YAML 1.1
---
a: yes
~~
	x: 1
~~
a:	[x]
~~
a: [x,	y]
~~
a: x	y
~~
a: "x	y"
~~
a: &l [1, 2]
b: *l
~~
a: *missing
~~
base: &b {x: 1, y: 2}
own: {<<: *b, y: 3}
~~
a: {<<: [{x: 1}, {x: 2, y: 3}]}
~~
a: {<<: 1}
~~
a: &a [*a]
~~
a: 1
a: 2
b: 3
~~
? a
: b
~~
? [a]
: b
~~
{a: 1, b}
~~
[a, b: c]
~~
a: |
  x
   y
b: >-
  x
  y
~~
a: 'it''s'
b: "\x41\u00e4"
~~
a: "\q"
~~
a: @x
~~
a: `x`
~~
a: %x
~~
a: x # no
b: x#yes
~~
a:
  b: 1
 c: 2
~~
a:
b:
  - 1
  -
  - [x, ~]
~~
a : 1
"b" : 2
~~
a: [x,,y]
~~
a: [,x]
~~
a: {x:1}
~~
a: {x: 1,}
~~
a: http://x/y:80
~~
a: {u: http://x/}
~~
a: on
b: 0777
c: 1_000
d: 12:30:45
e: 1.5
f: 2024-01-31
g: =
~~
g: x=y
~~
a: 2024-13-01
~~
2: x
true: y
~: z
~~
a: !!set {x, y}
b: !!omap [x: 1]
~~
a: - b
~~
- - a
  - b
-  - c
~~
- a: 1
  b: 2
-
  c: 3
~~
a: "x
  y"
~~
a: x
  y
b: z
~~
a: x
y
~~
#cloud-config
users: [default, {name: x, groups: [a, b]}]
~~
## template: jinja
a: {{ v1.x }}
~~
## template: jinja
{% if x %}
a: 1
{% endif %}
~~
a: [a b, c d]
~~
a: ? x
~~
a: -
~~
a: -x
~~
-
~~
a:b
~~
a: {b: [c, {d: e}], f}
~~
[]: x
~~
"a
b": x
~~
a: !
~~
a: ! 12
~~
!!map {a: b}
~~
!!str a: b
~~
&x a: *x
~~
a: &x
b: *x
~~
a: 'x' y
~~
a: "x" # c
~~
a: [x]y
~~
a: [x] # c
~~
 a: 1
 b: 2
~~
  - a
  - b
~~
a: >
~~
a: |+
  x


b: 1
~~
a: |2
    x
~~
a: x,y
~~
a: [x:y]
~~
a: [x: y]
~~
a: {"x":1}
~~
a: {'x':[1]}
~~
a: [x#y]
~~
a: [x #y
]
~~
a: {x: y
}
~~
a: {
x: y
}
~~
a: [
x
]
~~
---
~~
--- a
~~
--- {a: 1}
~~
a: 1
--- 
~~
a: 1
... x
~~
%FOO bar
---
a: 1
~~
a: 1
%FOO
~~
a: "%x"
~~
a: ---
~~
a: x: 
~~
a: 'x: y'
~~
? a
~~
? a
? b
~~
a: [? x : y]
~~
a: *x y
~~
a: &
~~
a: *
~~
!a b: c
~~
a: {<<: *b}
~~
<<: {a: 1}
b: 2
~~
"<<": {a: 1}
~~
a: 0x1F
b: 0o17
c: 08
d: +1
e: -1
f: 1e3
g: 1.0e+3
h: .5
i: .inf
j: 190:20:30
~~
a: !!bool "yes"
b: !!null x
c: !!float "1"
~~
a: !!bool maybe
~~
a: !!binary aGk=
~~
a: !!timestamp 2024-01-31
~~
a: ~x
~~
a: null
b: Null
c: nULL
""".strip("\n").split("\n~~\n")

PIECES = ["a", "b: ", "c", ": ", ":", "- ", "-", "[", "]", "{", "}", ", ", ",", "\n", "\n", "\n  ", "\n    ", "'", '"', "#", " #x", "&a ", "*a",
          "!", "!!str ", "| ", "|\n  ", ">\n  ", "? ", "\t", " ", "  ", "<<: ", "yes", "1", "~", "%", "@", "---\n", "...\n", "datasource_list: ",
          "NoCloud", "x: y", "\n- ", "\nk: ", "\r\n", "\\", "=", ":a", "a:b", "{a: b}", "[x, y]", "'q'", '"d"']


def shown(value, depth=0):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    if depth > 60:
        raise RecursionError
    if isinstance(value, list) and not any(isinstance(item, tuple) for item in value):
        return [shown(item, depth + 1) for item in value]
    if isinstance(value, dict):
        def key(key):
            if isinstance(key, str):
                return "'" + key
            return str(key) if key is None or isinstance(key, (bool, int)) else "other"
        return {key(k): shown(v, depth + 1) for k, v in value.items()}
    return {"": "other"}


class Loader(yaml.SafeLoader):
    pass


def sexagesimal(loader, node):
    if ":" in node.value:
        return 1.5
    return yaml.SafeLoader.construct_yaml_int(loader, node)


Loader.add_constructor("tag:yaml.org,2002:int", sexagesimal)


def case(text):
    row = {"text": text}
    try:
        row["value"] = shown(yaml.load(text, Loader))
    except RecursionError:
        row["unclear"] = True
    except (yaml.YAMLError, TypeError, ValueError):
        pass
    except Exception:  # an error that cloud-init does not catch
        row["unclear"] = True
    return row


def main():
    source = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for text in TEXTS:
        print(json.dumps(case(text + "\n")))
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        text = "".join(source.choice(PIECES) for _ in range(source.randint(1, 12))) + "\n"
        # Keys of nothing and texts that are one block are in no configuration; the parser takes some that PyYAML does not.
        if not re.search(r"(^|[\n{,])\s*(- |\? )*:\s|^\s*(#.*\n)?\s*([&!]\S* )?\s*[|>]", text):
            print(json.dumps(case(text)))


main()
