from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from durable_sandbox.events.websocket import velocity
from durable_sandbox.events.websocket.templates import TemplateError, TemplateInput, render

CONTEXT: dict[str, Any] = {
    "connectionId": "L0SM9cOFvHcCIhw=",
    "requestId": "r+q/1=",
    "connectedAt": 1700000000000,
    "authorizer": {"principalId": "me", "my-key": "k"},
}
BODY = json.dumps(
    {
        "n": 1,
        "price": 249.99,
        "yes": True,
        "nothing": None,
        "name": "it's",
        "list": [1, 2, 3],
        "pets": [{"id": 1}, {"id": 2}],
        "o": {"k": "v", "z": 1},
        "k-e": 5,
        "a b": 6,
        "ü": 7,
    }
)
FORM = (
    "#set($id = $input.path('$.id'))"
    '#if("$!id" == "")#set($id = $context.requestId)#end'
    " Action=SendMessage&MessageGroupId=$util.urlEncode($context.connectionId)"
    "&MessageDeduplicationId=$util.urlEncode($id)"
    "&MessageAttribute.1.Name=connectionId"
    "&MessageAttribute.1.Value.StringValue=$util.urlEncode($context.connectionId)"
    "&MessageAttribute.1.Value.DataType=String"
    "&MessageBody=$util.urlEncode($input.body)"
)
AWKWARD = "a&b+c%d=e f äöü 😀 \"q\" 's' \n\r\t ~*-._ $context.requestId ${x} #set($id = 1) #end"


def rendered(template: str, body: str = BODY) -> str:
    return render(template, TemplateInput(body, CONTEXT, {"queue": "orders.fifo", "a-b": "c"}))


@pytest.mark.parametrize(
    ("body", "deduplication"),
    [
        ("{}", "r+q/1="),
        ('{"id": null}', "r+q/1="),
        ('{"id": ""}', "r+q/1="),
        ('{"id": 5}', "5"),
        ('{"id": "order-1"}', "order-1"),
        (json.dumps({"id": AWKWARD}), AWKWARD),
        (json.dumps({"id": AWKWARD}, ensure_ascii=False), AWKWARD),
        ('{"id": "x", "t": "&MessageGroupId=other&x=%26"}', "x"),
        ('{"id": "&MessageGroupId=other&x=%26"}', "&MessageGroupId=other&x=%26"),
        ('  {"id":\t"x"}\r\n', "x"),
        ('{"id": "x", "t": "$util.urlEncode(1) #foreach($a in [1])$a#end #* no comment ## neither"}', "x"),
        ('"&MessageGroupId=other&x=%26"', "r+q/1="),
    ],
)
def test_the_form_of_the_sqs_integration(body: str, deduplication: str) -> None:
    form = rendered(FORM, body)
    assert form.startswith(" Action=SendMessage&MessageGroupId=L0SM9cOFvHcCIhw%3D&MessageDeduplicationId=")
    assert parse_qsl(form.lstrip(), strict_parsing=True) == [
        ("Action", "SendMessage"),
        ("MessageGroupId", "L0SM9cOFvHcCIhw="),
        ("MessageDeduplicationId", deduplication),
        ("MessageAttribute.1.Name", "connectionId"),
        ("MessageAttribute.1.Value.StringValue", "L0SM9cOFvHcCIhw="),
        ("MessageAttribute.1.Value.DataType", "String"),
        ("MessageBody", body),
    ]


def test_an_end_in_braces_leaves_no_blank_before_the_form() -> None:
    assert rendered(FORM.replace("#end ", "#{end}"), "{}").startswith("Action=SendMessage&")


@pytest.mark.parametrize("body", ["", "not json", "{", "NaN", '{"a": Infinity}', "[" * 100_000])
def test_a_body_that_is_not_json(body: str) -> None:
    if body:
        for template in ("$input.path('$')", "$input.json('$')", FORM):
            with pytest.raises(TemplateError, match="not valid JSON"):
                rendered(template, body)
    assert rendered("$input.body", body) == (body or "{}")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$input.json('$.pets')", '[{"id":1},{"id":2}]'),
        ("$input.json('$.name')", '"it\'s"'),
        ("$input.json('$.nowhere')", '""'),
        ("$input.path('$.name') $input.path('$.n') $input.path('$.price') $input.path('$.yes')", "it's 1 249.99 true"),
        ("<$input.path('$.nothing')><$input.path('$.nowhere')>", "<><>"),
        ("$input.path('$.o') $input.path('$.pets')", '{k=v, z=1} [{"id":1},{"id":2}]'),
        ("$input.path('$').pets", '[{"id":1},{"id":2}]'),
        ("$input.path('$.pets')[1].id $input.path('$.list')[7]|", "2 |"),
        ("$input.path('$.pets').size() $input.path('$.pets').count()", "2 2"),
        ("$input.path(\"$['a b']\") $input.path('$.k-e') $input.path('$.ü')", "6 5 7"),
        ("$context.authorizer.principalId $context.authorizer.my-key $context.connectedAt", "me k 1700000000000"),
        ("<$context.nowhere><$!context.nowhere><${context.a.b}>", "<><><>"),
        ("$stageVariables.queue $stageVariables['queue'] ${stageVariables['a-b']}", "orders.fifo orders.fifo c"),
        ("$foo $!foo ${foo} $!{foo} $foo.bar()", "$foo  ${foo}  $foo.bar()"),
        ("$5.00 $ # #fff a\\b", "$5.00 $ # #fff a\\b"),
    ],
)
def test_variables(template: str, expected: str) -> None:
    assert rendered(template) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$util.urlEncode('a b+c&d=e%f/~*-._ä😀')", "a+b%2Bc%26d%3De%25f%2F%7E*-._%C3%A4%F0%9F%98%80"),
        ("$util.urlDecode('a+b%2Bc%C3%A4')", "a b+cä"),
        ("<$util.urlEncode($context.nowhere)>", "<>"),
        ("$util.base64Encode('aä') $util.base64Decode('YcOk')", "YcOk aä"),
        ("$util.escapeJavaScript($input.json('$.name'))", '\\"it\\\'s\\"'),
        # The idiom of AWS's reference.
        (r"""$util.escapeJavaScript($input.path('$.name')).replaceAll("\\'","'")""", "it's"),
        ("""#set($x = $util.parseJson('{"key2":{"arr":[1,2,3]}}'))$x.key2.arr[0]""", "1"),
    ],
)
def test_util(template: str, expected: str) -> None:
    assert rendered(template) == expected


def test_escapes_of_javascript() -> None:
    body = json.dumps({"t": '\b\n\t\f\r\x01"\\ä'})
    assert rendered("$util.escapeJavaScript($input.path('$.t'))", body) == '\\b\\n\\t\\f\\r\\u0001\\"\\\\ä'


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$s.length() $s.isEmpty() $s.toLowerCase() $s.toUpperCase()", "6 false ab cab AB CAB"),
        ("$s.equals('Ab cAb') $s.equals('x') $s.equalsIgnoreCase('AB CAB')", "true false true"),
        ("$s.substring(3) $s.substring(0,2) $s.indexOf('b') $s.charAt(3)", "cAb Ab 1 c"),
        ("$s.contains('cA') $s.startsWith('Ab') $s.endsWith('x') $s.matches('A.*')", "true true false true"),
        (
            "$s.replace('b','.') $s.replaceAll('[Ab]+','<$0>') $s.replaceFirst('(A)(b)','$2$1')",
            "A. cA. <Ab> c<Ab> bA cAb",
        ),
        ("$s.replaceAll('b','\\$')", "A$ cA$"),
        ("$s.split(' ')[1] $s.split(' ').size() $s.concat('!')", "cAb 2 Ab cAb!"),
        ("#set($t = ' x ')<$t.trim()>", "<x>"),
        (
            "$input.path('$.o').keySet() $input.path('$.o').get('k') $input.path('$.o').containsKey('x')",
            '["k","z"] v false',
        ),
        ("#set($l = [1])#set($x = $l.add(2))$l $l.get(1) $l.contains(2) $l.isEmpty()", "[1,2] 2 true false"),
        ('#set($m = {"a": 1})#set($x = $m.put("b", "2"))$m', "{a=1, b=2}"),
    ],
)
def test_java_methods(template: str, expected: str) -> None:
    assert rendered("#set($s = 'Ab cAb')" + template) == expected


def test_length_counts_as_java_does() -> None:
    assert rendered("$input.path('$').length()", '"😀"') == "2"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("#foreach($p in $input.path('$.pets'))$p.id#if($foreach.hasNext),#end#end", "1,2"),
        ("#foreach($v in $input.path('$.o'))[$foreach.index:$v]#end", "[0:v][1:1]"),
        ("#foreach($x in $input.path('$.nowhere'))x#end", ""),
        ("#foreach($i in [1..3])#set($last = $i)#end$last", "3"),
        ("#if($input.path('$.n') == 1)a#elseif($input.path('$.n') == 2)b#else c#end", "a"),
        ("#if($input.path('$.nowhere'))a#{else}b#end", "b"),
        ("#if(!$input.path('$.nowhere') && $context.requestId.equals('r+q/1='))a#end", "a"),
        # The right side is not evaluated: there is no size() of nothing that could be greater.
        ("#if($input.path('$.nowhere') && $input.path('$.nowhere').size() > 0)a#{else}b#end", "b"),
        ("#if($input.path('$.yes'))a#end#if($input.path('$.yes') == true)b#end", "ab"),
        ("#if($input.path('$.nowhere') > 1)a#{else}b#end#if('a' < 1)c#end", "b"),
        (
            "#set($x = 1 + 2 * 3)$x #set($x = 7 / 2)$x #set($x = -7 / 2)$x #set($x = -7 % 3)$x #set($x = 'a' + 1)$x",
            "7 3 -3 -1 a1",
        ),
        ("#set($b = $input.path('$.n') == 1)$b", "true"),
        ('#set($q = "say ""$context.authorizer.principalId""")$q', 'say "me"'),
        ("#set($q = 'no $context.requestId')$q", "no $context.requestId"),
        ("#macro(twice $x)$x$x#end#twice('a')#twice($input.path('$.n'))", "aa11"),
        ("#define($d)<$context.authorizer.principalId>#end$d$d", "<me><me>"),
        ("a## comment\nb#* more *#c", "abc"),
    ],
)
def test_directives(template: str, expected: str) -> None:
    assert rendered(template) == expected


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("#if($x", "parsed"),
        ("#end", "parsed"),
        ("#if(true)a", "parsed"),
        ("#set($x)", "parsed"),
        ("#foreach($x in [1])#break#end", "parsed"),
        ('#set($x = "#if(true)")', "parsed"),
        ("$util.toJson('x')", "no method toJson"),
        ("$input.params('x')", "no method params"),
        ("$input.body.upper()", "no method upper"),
        ("$input.path('$.n').intValue()", "a number has no method"),
        ("$input.path('$.list').append(1)", "no method append"),
        ("$input.path('$.[')", "no JSON path"),
        ("$input.path()", "cannot take"),
        ("$input.body.substring(10000)", "substring"),
        ("$input.body.matches('(')", "no regular expression"),
        ("$input.path('$.list').get(5)", "get"),
        ("$util.parseJson('{')", "parseJson"),
        ("$util.base64Decode('?')", "base64Decode"),
        ("$util", "no text"),
        ("#evaluate($input.body)", "#evaluate"),
        ("#parse('/etc/passwd')", "#parse"),
        ("#include('/etc/passwd')", "#include"),
        ("#set($nowhere.x = 1)", "cannot be set"),
    ],
)
def test_errors(template: str, text: str) -> None:
    with pytest.raises(TemplateError) as raised:
        rendered(template)
    assert text in str(raised.value)


@pytest.mark.parametrize("name", ["__class__", "__init__", "__globals__", "methods", "properties", "name"])
def test_python_is_out_of_reach(name: str) -> None:
    for target in ("$input", "$util", "$context", "$input.body", "$input.path('$.list')"):
        assert rendered(f"<{target}.{name}>") == "<>" or name == "name"
        with pytest.raises(TemplateError, match="no method"):
            rendered(f"{target}.{name}()")


def test_one_rendering_does_not_show_in_the_next() -> None:
    context = {"nested": {"a": 1}}
    values = TemplateInput("{}", context)
    assert render("#set($context.nested.a = 2)#set($x = 1)$context.nested.a", values) == "2"
    assert render("$context.nested.a $x", values) == "1 $x"
    assert context == {"nested": {"a": 1}}


def test_others_have_airspeed_unchanged_and_the_cache_is_bounded() -> None:
    import airspeed  # noqa: PLC0415 - only here

    assert airspeed.Template("$x.upper()").merge({"x": "a"}) == "A"
    for number in range(velocity._TEMPLATES_KEPT + 10):
        rendered(f"{number}")
    assert velocity._compiled.cache_info().currsize == velocity._TEMPLATES_KEPT
