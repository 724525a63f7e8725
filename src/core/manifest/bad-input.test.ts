import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readManifest } from './manifest.ts'
import { problemLine } from './problems.ts'

/** Every kind of mistake, with the line that a person gets to read. `\t` and other bytes are spelled out. */
function said(text: string | Uint8Array, file = 'weir.yaml'): string[] {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const result = readManifest({ files: new Map([[file, bytes]]), listing: [file], name: 'shop' })
  return result.ok ? [] : result.problems.map((problem) => problemLine(problem).replace(`${file}:`, ''))
}

function web(lines: string, rest = ''): string {
  return `version: 1\nservices:\n  web:\n    build: .\n    ports: { http: 8080 }\n    ${lines}\n${rest}`
}

function canary(lines: string): string {
  return web(`release: { strategy: canary, ${lines} }`)
}

const CASES: Readonly<Record<string, readonly [text: string | Uint8Array, ...lines: string[]]>> = {
  // The text itself
  'a tab as indentation': ['version: 1\nservices:\n\tweb: {}\n', '3:1 not valid YAML: a tab where YAML wants spaces (indent with spaces)'],
  'an unclosed bracket': [
    'version: 1\nservices: { web: { build: . }\n',
    '3:1 not valid YAML: the indentation does not fit the lines around it (items of one map or list begin in the same column)',
  ],
  'bytes that are not UTF-8': [
    Uint8Array.from([...new TextEncoder().encode('version: 1\napp: sh'), 0xff, 0x0a]),
    '2:8 not valid UTF-8 (save the file as UTF-8)',
  ],
  'UTF-16': [Uint8Array.from([0xff, 0xfe, 0x76, 0x00]), '1:1 the file is UTF-16, not UTF-8 (save it as UTF-8)'],
  'a NUL character': ['version: 1\napp: a\0b\n', '2:7 control character 0x00 (remove it)'],
  'one byte over 1 MiB': [
    new Uint8Array(1024 * 1024 + 1).fill(0x20),
    '1:1 the file has 1048577 bytes, over the limit of 1 MiB (1048576) (a manifest describes an app; put data into files of their own)',
  ],
  'an empty file': ['', '1:1 the file is empty'],
  'only comments': ['# nothing\n', '1:1 the file is empty'],
  'a second document': ['version: 1\n---\nversion: 1\n', '2:1 a second document begins here (one manifest a file: remove the `---`)'],
  'the same key twice': [web('scale: { min: 1, min: 2 }'), '6:22 the key `min` is here twice (first at 6:14) (keep one of them)'],
  'a key that reaches the prototype': [
    web('environment: { __proto__: x, constructor: y }'),
    '6:20 the key `__proto__` cannot be used (choose another name)',
    '6:34 the key `constructor` cannot be used (choose another name)',
  ],
  'a tag': [web('command: !!js/function x'), '6:28 the tag `tag:yaml.org,2002:js/function` is not used here (remove it)'],
  'an alias without anchor': [web('command: *cmd'), '6:14 no anchor `&cmd` before this alias'],
  'an alias in itself': [web('environment: &e { A: *e }'), '6:26 the alias `*e` contains itself'],
  'nesting over 32': [`version: 1\napp: ${'['.repeat(33)}${']'.repeat(33)}\n`, '2:38 nested more than 32 deep (nothing in a manifest needs that)'],
  'nesting over 100': [`app: ${'['.repeat(20_000)}`, '1:101 nested more than 32 deep (nothing in a manifest needs that)'],
  'an alias bomb': [
    `a: &a [x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((key, index) => `${key}: &${key} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`).join('\n')}\n`,
    '1:20 the file holds more than 50000 values, aliases included (write it without nested anchors, or split the app)',
  ],
  'a version that YAML shortens': ['version: 1.10\nservices: { web: { build: . } }\n', '1:10 YAML reads `1.10` as the number 1.1 (quote it: "1.10")'],
  'an octal number': [web('environment: { MODE: 0o17 }'), '6:26 YAML reads `0o17` as the number 15 (quote it: "0o17")'],
  'a number too long to be exact': [
    web('environment: { ID: 9007199254740993 }'),
    '6:24 YAML reads `9007199254740993` as the number 9007199254740992 (quote it: "9007199254740993")',
  ],
  'no map at all': ['just text\n', '1:1 expected a map of keys such as `services`, got the text "just text"'],
  // Keys and types
  'an unknown key at the top': [
    'version: 1\nservice: {}\nservices: { web: { build: . } }\n',
    '2:1 unknown key `service` (known here: version, app, services, resources, jobs, telemetry, environments, kubernetes)',
  ],
  'an unknown key with a near one': [
    web('replicas: 3\n    scael: { min: 3 }'),
    '6:5 unknown key `replicas` (known here: build, image, command, routes, ports, depends_on, healthcheck, environment, secrets, resources, stop, volumes, slo, probes, scale, scaler, telemetry, pre_start, release)',
    '7:5 unknown key `scael` (did you mean `scale`?)',
  ],
  'an unknown key in a list': [web('routes: [{ hst: a.example.com }]'), '6:16 unknown key `hst` (did you mean `host`?)'],
  'no version': ['services: { web: { build: . } }\n', '1:1 `version` is missing (write version: 1)'],
  'no service': ['version: 1\n', '1:1 the app has no service (add `services: { web: { build: . } }`)'],
  'an empty service': ['version: 1\nservices:\n  web:\n', '3:3 expected a map, got nothing'],
  'a list for a map': ['version: 1\nservices: [web]\n', '2:1 expected a map, got a list'],
  'text for a number': [web('scale: { min: "3" }'), '6:19 expected a number, got the text "3" (write 3 without quotes)'],
  'a part of a replica': [web('scale: { min: 1.5 }'), '6:19 expected a whole number, got the number 1.5'],
  'a number for a command': [web('command: [node, 8080]'), '6:21 argument 2 of the command is not text but the number 8080 (quote it: "8080")'],
  'an unknown word': [web('scaler: automatic'), '6:13 expected one of auto, manual, external, got the text "automatic"'],
  // Units
  'a duration without unit': [web('stop: { grace: 10 }'), '6:20 a duration needs a unit, got 10 (write 10s or 10ms)'],
  'a size without unit': [web('resources: { memory: 256 }'), '6:26 a size needs a unit, got 256 (write 256MiB or 256GiB)'],
  'a share without unit': [web('slo: { availability: 99.9 }'), '6:26 a share needs a unit, got 99.9 (write 99.9%)'],
  'a rate without unit': [web('slo: { throughput: 200 }'), '6:24 a rate needs a unit, got 200 (write 200/s)'],
  'a share over 100 %': [web('release: { strategy: canary, steps: [101%] }'), '6:42 expected a share from 0% to 100%, got the text "101%"'],
  'CPUs as Kubernetes writes them': [web('resources: { cpu: 500m }'), '6:23 `500m` is not a number of CPUs (write 0.5)'],
  'a duration out of range': [web('stop: { grace: 2h }'), '6:20 2h is out of range (from 0ms to 1h)'],
  // Names
  'a reserved name': ['version: 1\nservices: { kube-system: { build: . } }\n', '2:13 the name "kube-system" is a reserved name'],
  'an option as a name': [
    'version: 1\napp: -h\nservices: { web: { build: . } }\n',
    `2:6 the name "-h" must be lower-case letters, digits and '-', starting with a letter and not ending with '-' (call it \`h\`)`,
  ],
  'a command as a name': [
    'version: 1\nservices: { "a;rm -rf": { build: . } }\n',
    `2:13 the name "a;rm -rf" must be lower-case letters, digits and '-', starting with a letter and not ending with '-' (call it \`a-rm-rf\`)`,
  ],
  'an emoji as a name': [
    'version: 1\nservices: { "🚀": { build: . } }\n',
    `2:13 the name "🚀" must be lower-case letters, digits and '-', starting with a letter and not ending with '-'`,
  ],
  '64 characters': [
    `version: 1\nservices: { ${'a'.repeat(64)}: { build: . } }\n`,
    `2:13 the name "${'a'.repeat(64)}" must have at most 40 characters (has 64) (call it \`${'a'.repeat(40)}\`)`,
  ],
  'a variable with a blank': [
    web('environment: { "A B": x }'),
    '6:20 "A B" cannot be the name of a variable (letters, digits and `_`, not beginning with a digit)',
  ],
  // What a service is
  'nothing to build': [
    'version: 1\nservices:\n  web: { ports: { http: 8080 } }\n',
    '3:3 service `web` does not say what it is built from (add `build: .` (a folder of the source))',
  ],
  'a folder outside': [
    'version: 1\nservices: { web: { build: ../other } }\n',
    '2:27 `../other` leads out of the source (name a folder inside it, without `..`)',
  ],
  'a control character in a path': [web('', '').replace('build: .', 'build: "a\\nb"'), '4:12 a path cannot hold control characters'],
  'a NUL in a command': [web('command: ["a", "b\\0"]'), '6:20 a command cannot hold a NUL character'],
  'signs that steer a terminal': [web('scaler: "\\e[2Jx"'), '6:13 expected one of auto, manual, external, got the text "\\u001b[2Jx"'],
  'a key that steers a terminal': [
    'version: 1\n"\\e[2J": 1\nservices: { web: { build: . } }\n',
    '2:1 unknown key `\ufffd[2J` (known here: version, app, services, resources, jobs, telemetry, environments, kubernetes)',
  ],
  'a shell': [
    web('command: "node a.js && node b.js"'),
    '6:14 `&&` needs a shell, and commands run without one (write ["/bin/sh", "-c", "node a.js && node b.js"], or a script of the app)',
  ],
  'an open quote': [web(`command: "node 'a"`), `6:14 the command has no closing ' (write ["program", "argument"])`],
  'a variable that is given': [web('environment: { PORT: 80 }'), '6:26 `PORT` is given to each replica by Weir (take it out, and read it in the app)'],
  'two checks': [web('healthcheck: { http: /, tcp: http }'), '6:34 `http` and `tcp` exclude each other (keep one of them)'],
  'a check of an unknown port': [web('healthcheck: { tcp: htpp }'), '6:25 no port `htpp` (did you mean `http`?)'],
  'one port number twice': [
    web('', 'x').replace('http: 8080', 'http: 8080, admin: 8080').replace('x', ''),
    '5:33 port 8080 is `http` already (give each port a number of its own)',
  ],
  'min over max': [web('scale: { min: 5, max: 3 }'), '6:27 `min` 5 is more than `max` 3 (write max: 5)'],
  'steps that go down': [web('release: { strategy: canary, steps: [25%, 5%] }'), '6:47 steps must rise: 5 % comes after 25 %'],
  'steps without a canary': [web('release: { steps: [25%] }'), '6:16 `steps` belongs to a canary (add strategy: canary)'],
  // How a release is judged
  'an unknown indicator': [
    canary('analysis: { compare: [erorrs] }'),
    '6:56 expected one of errors, latency, rejected, signatures, throughput, restarts, memory, cpu, got the text "erorrs" (did you mean `errors`?)',
  ],
  'an unknown key of the analysis': [canary('analysis: { routs: auto }'), '6:46 unknown key `routs` (did you mean `routes`?)'],
  'an indicator that decides and does not': [
    canary('analysis: { compare: [errors], dry_run: [errors] }'),
    '6:75 `errors` is in `compare` too (an indicator decides, or is only shown)',
  ],
  'a false alarm of 0 %': [canary('analysis: { false_alarm: 0% }'), '6:59 0% is out of range (from 0.01% to 20%)'],
  'a false alarm of 101 %': [canary('analysis: { false_alarm: 101% }'), '6:59 expected a share from 0% to 100%, got the text "101%"'],
  'a margin without unit': [canary('analysis: { margins: { errors: 2 } }'), '6:65 a share needs a unit, got 2 (write 2%)'],
  'an indicator of their own without a bound': [
    canary('analysis: { custom: [{ name: orders, promql: { url: "http://p:9090", query: x } }] }'),
    '6:55 the indicator `orders` has no bound (add `max` or `min`: what it may not go over or under)',
  ],
  'an indicator of their own without a source, and with a name of ours': [
    canary('analysis: { custom: [{ name: errors, max: 3 }] }'),
    '6:55 the indicator `errors` has no source (add `promql`, `http_json` or `sql`)',
    "6:63 `errors` is one of Weir's own indicators (call it something else)",
  ],
  'an indicator with two sources, of a database that is not there': [
    canary('analysis: { custom: [{ name: a, max: 1, sql: { resource: db, query: select 1 }, http_json: { url: "http://x", path: y } }] }'),
    '6:74 `http_json` and `sql` exclude each other (keep one of them)',
    '6:91 no resource `db`',
  ],
  'an indicator whose bounds cross': [
    canary('analysis: { custom: [{ name: a, max: 1, min: 2, promql: { url: "http://p:9090", query: x } }] }'),
    '6:71 `min` 2 is more than `max` 1',
  ],
  'an address that is none': [
    canary('analysis: { custom: [{ name: a, max: 1, http_json: { url: x, path: y } }] }'),
    '6:92 expected an address such as http://prometheus:9090, got the text "x"',
  ],
  'a step of 0 %': [canary('steps: [0%, 5%]'), '6:42 a step of 0 % sends nothing'],
  'a step of 100 % that is to be judged': [
    canary('steps: [5%, 100%]'),
    '6:46 at 100 % nothing is left to compare with (end with a smaller share: what is proven there gets all requests by itself)',
  ],
  'a step that is late before it may end': [
    canary('steps: [{ weight: 5%, at_least: 2h, at_most: 1h }]'),
    '6:79 `at_most` is shorter than `at_least` (a verdict cannot be late before it may be acted on)',
  ],
  'a judge that is off and on': [
    canary('analysis: off, steps: [{ weight: 5%, at_least: 5m }, { weight: 6%, approve: false }], on_inconclusive: hold'),
    '6:81 `at_least` needs a judge, and `analysis` is off (take it out: the step waits for `weir canary resume`)',
    '6:110 without analysis every step waits for a person (take out `approve: false`, or `analysis: off`)',
    '6:137 `on_inconclusive` needs a judge, and `analysis` is off (take one of them out)',
  ],
  'a policy that there is not': [canary('on_inconclusive: sometimes'), '6:51 expected one of hold, widen, rollback, got the text "sometimes"'],
  'a policy with another dash': [
    canary('on_inconclusive: { promote_after: 2h }'),
    '6:34 `promote-after` is missing',
    '6:53 unknown key `promote_after` (did you mean `promote-after`?)',
  ],
  'analysis of what is not compared': [web('release: { analysis: { compare: [errors] } }'), '6:16 `analysis` belongs to a canary (add strategy: canary)'],
  'checks of a canary': [canary('checks: { before: off }'), '6:34 `checks` belongs to a blue-green (add strategy: blue-green)'],
  'a shadow of 101 %, by a method that is none': [
    web('release: { strategy: shadow, shadow: { share: 101%, methods: [get], then: cnary } }'),
    '6:51 expected a share from 0% to 100%, got the text "101%"',
    '6:67 expected one of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE, got the text "get" (did you mean `GET`?)',
    '6:79 expected one of canary, promote, stop, got the text "cnary" (did you mean `canary`?)',
  ],
  'a shadow that nobody looks at': [
    web('release: { strategy: shadow, analysis: off }'),
    '6:44 a shadow without analysis shows nothing: its answers are only compared (take it out)',
  ],
  'steps of a shadow that becomes no canary': [
    web('release: { strategy: shadow, steps: [5%] }'),
    '6:34 `steps` belongs to a shadow that becomes a canary (add shadow: { then: canary })',
  ],
  'a probe that there is not, before a switch': [
    web('release: { strategy: blue-green, checks: { before: [hom] } }\n    probes: { home: { http: / } }'),
    '6:57 no probe `hom` (did you mean `home`?)',
  ],
  'a schedule that never comes': [
    web('', 'jobs: { j: { schedule: "0 0 31 2 *", service: web, command: [x] } }'),
    '7:24 not a schedule: it names a day that never comes (five fields: minute hour day month weekday, in UTC, as in "0 3 * * *")',
  ],
  'a route with a scheme': [
    web('routes: [{ host: "https://a.example.com/x" }]'),
    '6:22 `https://a.example.com/x` is not a host name alone (write host: a.example.com, and the path in `path`)',
  ],
  // What belongs together
  'a cycle of three': [
    'version: 1\nservices:\n  a: { build: ., depends_on: { b: {} } }\n  b: { build: ., depends_on: { c: {} } }\n  c: { build: ., depends_on: { a: {} } }\n',
    '5:32 `depends_on` runs in a circle: a → b → c → a (take one of these out; `${services.NAME.url}` lets a service call another without waiting for it)',
  ],
  'a service that waits for itself': [web('depends_on: [web]'), '6:18 `web` depends on itself (take it out)'],
  'a dependency that is not there': [
    web('depends_on: [wbe, db]'),
    '6:18 no service or resource `wbe` (did you mean `web`?)',
    '6:23 no service or resource `db` (there are: web)',
  ],
  'a route that two services have': [
    'version: 1\nservices:\n  a: { build: ., routes: [{ host: X.example.com, path: /api/ }] }\n  b: { build: ., routes: [{ host: x.example.com, path: /api }] }\n',
    '4:27 the route x.example.com, /api leads to `a` already (give one of them another host or path)',
  ],
  'a resource with the name of a service': [
    web('', 'resources: { web: { type: volume } }'),
    '7:14 `web` is the name of a service too (give the resource another name)',
  ],
  'a template of nothing': [
    web('environment: { A: "${services.api.url}", B: "${resource.db.url}", C: "${services.web.adress" }'),
    '6:23 no service `api` (there are: web)',
    '6:49 `${resource.db.url}` is not known (did you mean `${resources.db.url}`?)',
    '6:74 `${services.web.adress` is not closed (close it with `}`, or write `$$` for a plain `$`)',
  ],
  'a template in a command': [
    web('command: ["x", "${services.api.url}"]'),
    '6:5 `${services.api.url}` cannot stand in a command (give it to a variable in `environment`, and write $NAME here)',
  ],
  'a volume that is no volume': [
    web('volumes: [{ resource: db, path: /data }]', 'resources: { db: { type: postgres } }'),
    '6:27 `db` is a postgres, not a volume',
  ],
  'an environment from nowhere': [
    web('', 'environments: { production: { from: stagin }, staging: {} }'),
    '7:37 no environment `stagin` (did you mean `staging`?)',
  ],
  'environments in a circle': [web('', 'environments: { a: { from: b }, b: { from: a } }'), '7:44 `from` runs in a circle: a → b → a (take one of these out)'],
  'a mistake in an overlay only': [
    web('', 'environments: { production: { services: { web: { scale: { min: 20, max: 2 } } } } }'),
    '7:73 `min` 20 is more than `max` 2 (write max: 20)',
  ],
}

for (const [name, [text, ...lines]] of Object.entries(CASES)) test(`${name} is refused with its place`, () => assert.deepEqual(said(text), lines))

test('problems of the text and of its meaning are reported together', () => {
  assert.deepEqual(said('version: 1\napp: shop\napp: shap\nservices:\n  web: { biuld: . }\n'), [
    '3:1 the key `app` is here twice (first at 2:1) (keep one of them)',
    '5:3 service `web` does not say what it is built from (add `build: .` (a folder of the source))',
    '5:10 unknown key `biuld` (did you mean `build`?)',
  ])
})

test('of a service with a wrong name the lines below are checked too', () => {
  assert.equal(said('version: 1\nservices:\n  My_Web: { build: ., scale: { min: x } }\n').length, 2)
})
