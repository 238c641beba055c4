"""strictjson: what is not JSON is refused with its line, also where MicroPython's own json is content."""

from memory import raised

from firmware import strictjson

_GOOD = (
    ("{}", {}),
    (' {"a" : [1, -2, 0, true, false, null, "x\\u00e4\\n"]} \n', {"a": [1, -2, 0, True, False, None, "x\u00e4\n"]}),
    ('{"a":{"b":[]},"c":[{},[]]}', {"a": {"b": []}, "c": [{}, []]}),
    ("[10,100]", [10, 100]),
)

_BAD = (
    ("", "line 1: a value is missing"),
    ('{"a":', "line 1: a value is missing"),
    ('{"a":1', "line 1: , or } is missing"),
    ('{"a":[{"b":1}', "line 1: , or ] is missing"),
    ('{"a" 1}', "line 1: : is missing"),
    ('{"a":1 "b":2}', "line 1: , or } is missing"),
    ('{"a":1,}', "line 1: a key in quotes is missing"),
    ("[1,]", "line 1: a value is missing"),
    ("{a:1}", "line 1: a key in quotes is missing"),
    ('{\n"a":1,\n"a":2}', 'line 3: key "a" stands twice'),
    ('{\n\n"a":tru}', "line 3: a value is missing"),
    ('{"a":"x\n"}', 'line 1: " is missing'),
    ('{"a":"\\x"}', "line 1: no such escape"),
    ('{"a":"\\u12"}', "line 1: no such escape"),
    ("[01]", "line 1: , or ] is missing"),
    ("[1.]", "line 1: a digit is missing"),
    ("[-]", "line 1: a digit is missing"),
    ("[1e]", "line 1: a digit is missing"),
    ("{} x", "line 1: text behind the end"),
    ("[" * 12, "line 1: nested too deep"),
)


def test_json_gives_what_it_holds():
    for text, value in _GOOD:
        assert strictjson.loads(text) == value, text


def test_what_is_no_json_is_refused_with_its_line():
    for text, why in _BAD:
        assert raised(ValueError, strictjson.loads, text).args[0] == why, text


def test_a_text_cut_off_anywhere_is_refused():
    text = '{"gateway":{"id":"gw-1","zone":"CST-8"},"meters":[{"name":"a"},{"name":"b"}]}'
    for end in range(len(text)):
        raised(ValueError, strictjson.loads, text[:end])
